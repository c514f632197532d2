/** Before one is in: a login link at work, the sign-in form, and a collector out of reach. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { replace } from "../location";
import { reasonOf } from "../reason";
import { parseRoute } from "../route";
import { resume, signIn } from "../session";
import { Failure, useAction } from "../ui/action";

/** Somebody opened #/login/CODE. The code leaves the address at once: it is used up either way. */
export function LoginLink({ code }: { readonly code: string }) {
  const [failure, setFailure] = useState("");
  const used = useRef(false);
  useEffect(() => {
    if (used.current) return;
    used.current = true;
    history.replaceState(null, "", "#/login");
    signIn({ code }).then(
      () => {
        replace(parseRoute("#/fleet"));
      },
      (error: unknown) => {
        setFailure(reasonOf(error));
      },
    );
  }, [code]);
  if (failure) return <SignIn because={failure} />;
  return (
    <Outside>
      <p role="status">Signing in…</p>
    </Outside>
  );
}

export function SignIn({ because }: { readonly because?: string }) {
  const [secret, setSecret] = useState("");
  const { busy, failure, run } = useAction();
  return (
    <Outside>
      <h1>Sign in</h1>
      <Failure reason={failure || (because ?? "")} />
      <p>
        Open a login link in this browser. The collector prints one in its terminal when it starts;
        an admin makes more, on this page under Access or with
      </p>
      <pre class="snippet">
        <code>forgectl login-link</code>
      </pre>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run(async () => {
            await signIn({ secret: secret.trim() });
            setSecret("");
            if (because !== undefined) replace(parseRoute("#/fleet"));
          });
        }}
      >
        {/* Lets a password manager file the secret under a name. */}
        <input type="text" autocomplete="username" value="forge-fleet" readOnly hidden />
        <label class="field">
          <span>Or paste a token or the admin secret</span>
          <input
            type="password"
            autocomplete="current-password"
            maxLength={512}
            required
            value={secret}
            onInput={(event) => {
              setSecret(event.currentTarget.value);
            }}
          />
        </label>
        <button type="submit" class="button button-primary" disabled={busy || !secret.trim()}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
      </form>
    </Outside>
  );
}

const RETRY_MS = 3000;

export function Unreachable({ reason }: { readonly reason: string }) {
  useEffect(() => {
    const timer = setInterval(() => void resume(), RETRY_MS);
    return () => {
      clearInterval(timer);
    };
  }, []);
  return (
    <Outside>
      <h1>The collector is out of reach</h1>
      <p role="alert">{reason}</p>
      <p class="hint">This page tries again every {RETRY_MS / 1000} seconds.</p>
      <button type="button" class="button" onClick={() => void resume()}>
        Try now
      </button>
    </Outside>
  );
}

function Outside({ children }: { readonly children: ComponentChildren }) {
  return (
    <main class="outside">
      <div class="outside-box panel">
        <p class="brand">
          <img src="./favicon.svg" width="26" height="26" alt="" />
          <span>Forge Fleet</span>
        </p>
        {children}
      </div>
    </main>
  );
}
