/** A button that takes a right away: it asks once more, in place. */

import { useEffect, useState } from "preact/hooks";
import { useAction } from "../../ui/action";

interface RevokeProps {
  readonly word: string;
  readonly what: string;
  readonly revoke: () => Promise<void>;
  readonly onDone: () => void;
  readonly tabIndex?: 0 | -1;
}

const SURE_MS = 4000;

export function Revoke({ word, what, revoke, onDone, tabIndex = 0 }: RevokeProps) {
  const [asking, setAsking] = useState(false);
  const { busy, failure, run } = useAction();
  useEffect(() => {
    if (!asking) return;
    const timer = setTimeout(() => {
      setAsking(false);
    }, SURE_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [asking]);
  return (
    <>
      <button
        type="button"
        class={asking ? "button button-small button-danger-full" : "button button-small"}
        aria-label={asking ? `Really: ${word} ${what}` : `${word} ${what}`}
        title={failure}
        disabled={busy}
        tabIndex={tabIndex}
        onClick={() => {
          if (!asking) {
            setAsking(true);
            return;
          }
          setAsking(false);
          run(async () => {
            await revoke();
            onDone();
          });
        }}
      >
        {asking ? "Really?" : word}
      </button>
      {failure && (
        <span class="failure" role="alert">
          {failure}
        </span>
      )}
    </>
  );
}
