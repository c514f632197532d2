/** A part of the page that is fetched when it is first wanted, and may not come. */

import { signal } from "@preact/signals";
import type { ComponentChildren, ComponentType, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { connection } from "../stream/client";

interface Late<P> {
  /** Called where it may be wanted soon: it is then there at once. */
  readonly prepare: () => void;
  readonly Part: (props: P) => JSX.Element;
}

interface Words {
  /** "The charts", and what makes them what they are: "draws them". */
  readonly what: string;
  readonly does: string;
}

/** @param waiting stands there until it has come */
export function late<P extends object>(
  load: () => Promise<{ readonly default: ComponentType<P> }>,
  { what, does }: Words,
  waiting: () => ComponentChildren,
): Late<P> {
  const part = signal<ComponentType<P> | "missing" | null>(null);
  const prepare = () => {
    load().then(
      (loaded) => {
        part.value = loaded.default;
      },
      () => {
        part.value = "missing";
      },
    );
  };
  const Part = (props: P) => {
    const Loaded = part.value;
    useEffect(() => {
      if (part.peek() === null) prepare();
    }, []);
    if (Loaded === null) return <>{waiting()}</>;
    if (Loaded === "missing") return <Missing what={what} does={does} />;
    return <Loaded {...props} />;
  };
  return { prepare, Part };
}

/** A browser may never ask again for a script that failed once, so all is loaded anew: by itself
 * when the collector is back, but not while it answers, which could go on without end. */
function Missing({ what, does }: Words) {
  const { state } = connection.value;
  const wasLost = useRef(false);
  useEffect(() => {
    if (state === "lost") wasLost.current = true;
    else if (state === "live" && wasLost.current) location.reload();
  }, [state]);
  return (
    <section class="empty empty-small" role="alert">
      <h2>{what} could not be loaded</h2>
      <p class="failure">
        The collector did not answer when this page asked for the part that {does}, or it is a newer
        one by now.
      </p>
      <button
        type="button"
        class="button"
        onClick={() => {
          location.reload();
        }}
      >
        Load the page anew
      </button>
    </section>
  );
}
