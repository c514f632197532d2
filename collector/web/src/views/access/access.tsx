/** Who and what may speak to the collector: login links, tokens, signed-in browsers. */

import { useState } from "preact/hooks";
import { endSession, loginLink, mintToken, sessions, tokens } from "../../api";
import { now } from "../../clock";
import { exactMoment, moment } from "../../format/time";
import { session as me } from "../../session";
import { Failure, useAction } from "../../ui/action";
import { CopyBlock } from "../../ui/copy";
import { useLoaded } from "../../ui/load";
import { Choice } from "../../ui/toolbar";
import type { HumanRole, LoginLink, Session } from "../../wire/messages";
import { Invites } from "./invites";
import { Revoke } from "./revoke";
import { RightsTable } from "./rights-table";
import { TokenList } from "./token-list";

export function AccessView() {
  return (
    <div class="access">
      <h1>Access</h1>
      <LoginLinks />
      <Invites />
      <Tokens />
      <Sessions />
    </div>
  );
}

const ROLE_WORDS: Readonly<Record<HumanRole, string>> = {
  submitter: "Submitter: submits jobs, and sees its own alone",
  viewer: "Viewer: sees everything, changes nothing",
  admin: "Admin: may do everything",
};

const FOR_PEOPLE: readonly HumanRole[] = ["viewer", "submitter", "admin"];
const FOR_SCRIPTS: readonly HumanRole[] = ["viewer", "submitter"];

interface RoleChoiceProps {
  readonly role: HumanRole;
  readonly among: readonly HumanRole[];
  readonly onChange: (role: HumanRole) => void;
}

function RoleChoice({ role, among, onChange }: RoleChoiceProps) {
  return (
    <Choice
      label="Role"
      value={role}
      options={among.map((one) => [one, ROLE_WORDS[one]])}
      onChange={onChange}
    />
  );
}

function LoginLinks() {
  const [role, setRole] = useState<HumanRole>("viewer");
  const [link, setLink] = useState<LoginLink | null>(null);
  const { busy, failure, run } = useAction();
  return (
    <section class="panel block">
      <header class="block-head">
        <h2>Let a person in</h2>
      </header>
      <p class="hint">A link signs one browser in, once. Send it to one person.</p>
      <form
        class="inline-form"
        onSubmit={(event) => {
          event.preventDefault();
          run(async () => {
            setLink(await loginLink(role));
          });
        }}
      >
        <RoleChoice role={role} among={FOR_PEOPLE} onChange={setRole} />
        <button type="submit" class="button button-primary" disabled={busy}>
          Make a link
        </button>
      </form>
      <Failure reason={failure} />
      {link && (
        <>
          <CopyBlock wraps text={link.url} what="the login link" />
          <p class="hint" role="status">
            {link.expires_at > now.value
              ? `It signs in one ${link.role}, until ${moment(link.expires_at, now.value)}.`
              : "This link has expired."}
          </p>
        </>
      )}
    </section>
  );
}

function Tokens() {
  const [loaded, reload] = useLoaded(tokens);
  const [name, setName] = useState("");
  const [role, setRole] = useState<HumanRole>("viewer");
  const [minted, setMinted] = useState<{ name: string; token: string } | null>(null);
  const { busy, failure, run } = useAction();
  return (
    <section class="panel block">
      <header class="block-head">
        <h2>Tokens</h2>
      </header>
      <p class="hint">
        A machine’s token lets its agent report, and nothing else. A viewer’s token lets a script or
        a dashboard read; with a submitter’s a script submits jobs.
      </p>
      <form
        class="inline-form"
        onSubmit={(event) => {
          event.preventDefault();
          run(async () => {
            const { token } = await mintToken({ role, name: name.trim() });
            setMinted({ name: name.trim(), token });
            setName("");
            reload();
          });
        }}
      >
        <label>
          <span class="unseen">What the token is for</span>
          <input
            type="text"
            maxLength={64}
            placeholder="What is it for? e.g. grafana"
            autocomplete="off"
            value={name}
            onInput={(event) => {
              setName(event.currentTarget.value);
            }}
          />
        </label>
        <RoleChoice role={role} among={FOR_SCRIPTS} onChange={setRole} />
        <button type="submit" class="button" disabled={busy || !name.trim()}>
          Mint a {role}’s token
        </button>
      </form>
      <Failure reason={failure} />
      {minted && (
        <>
          <p class="notice">
            <strong>The token of “{minted.name}” is shown once.</strong>
          </p>
          <CopyBlock wraps text={minted.token} what="the token">
            <span data-testid="minted-token">{minted.token}</span>
          </CopyBlock>
        </>
      )}
      <TokenList loaded={loaded} empty="There is no token yet." onChange={reload} />
    </section>
  );
}

function Sessions() {
  const [loaded, reload] = useLoaded(sessions);
  return (
    <section class="panel block">
      <header class="block-head">
        <h2>Signed-in browsers</h2>
      </header>
      {loaded.state === "loading" && <p class="loading">Loading…</p>}
      {loaded.state === "failed" && <Failure reason={loaded.reason} />}
      {loaded.state === "ready" && <SessionTable found={loaded.value} onChange={reload} />}
    </section>
  );
}

interface SessionTableProps {
  readonly found: readonly Session[];
  readonly onChange: () => void;
}

function SessionTable({ found, onChange }: SessionTableProps) {
  const ordered = [...found].sort(
    (a, b) => Number(b.current) - Number(a.current) || b.created_at - a.created_at,
  );
  return (
    <RightsTable found={ordered} columns={["Browser", "Role", "Since", "Until"]}>
      {(one) => <SessionRow key={one.id} session={one} onChange={onChange} />}
    </RightsTable>
  );
}

function SessionRow({
  session,
  onChange,
}: {
  readonly session: Session;
  readonly onChange: () => void;
}) {
  const today = now.value;
  return (
    <tr>
      <td>{session.current ? <strong>This one</strong> : session.id.slice(-8)}</td>
      <td>{session.role}</td>
      <td data-said="since" title={exactMoment(session.created_at)}>
        {moment(session.created_at, today)}
      </td>
      <td data-said="until" title={exactMoment(session.expires_at)}>
        {moment(session.expires_at, today)}
      </td>
      <td class="list-action">
        <Revoke
          word="Sign out"
          what={session.current ? "this browser" : `the browser ${session.id.slice(-8)}`}
          revoke={() => endSession(session.id)}
          onDone={() => {
            if (session.current) me.value = { state: "out" };
            else onChange();
          }}
        />
      </td>
    </tr>
  );
}
