/** For how many machines an invite is, and for how long. */

import { useState } from "preact/hooks";
import { mintInvite } from "../../api";
import { count } from "../../format/units";
import { Failure, useAction } from "../../ui/action";
import type { MintedInvite } from "../../wire/messages";

const MOST_USES = 10_000;

const LIFETIMES_S: readonly (readonly [number, string])[] = [
  [600, "10 minutes"],
  [3600, "1 hour"],
  [24 * 3600, "1 day"],
  [7 * 24 * 3600, "7 days"],
  [30 * 24 * 3600, "30 days"],
];

interface ChooseInviteProps {
  readonly nodeId: string | undefined;
  readonly onMinted: (minted: MintedInvite) => void;
  readonly onByHand: () => void;
}

export function ChooseInvite({ nodeId, onMinted, onByHand }: ChooseInviteProps) {
  const [usesText, setUsesText] = useState("1");
  const [lifetimeS, setLifetimeS] = useState(3600);
  const { busy, failure, run } = useAction();
  const uses = /^\d{1,5}$/.test(usesText) ? Number(usesText) : 0;
  const valid = uses >= 1 && uses <= MOST_USES;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (!valid) return;
        run(async () => {
          onMinted(await mintInvite({ uses, expires_in_s: lifetimeS, node_id: nodeId ?? null }));
        });
      }}
    >
      <p>
        {nodeId ? (
          <>
            An invite is one line to paste on a machine, which then is {nodeId}: the same one, set
            up anew, or another in its place. Tokens that {nodeId} has already stay valid.
          </>
        ) : (
          "An invite is one line to paste on the other machine. That installs the agent, and the machine appears here."
        )}
      </p>
      <div class="field-row">
        {nodeId === undefined && (
          <label class="field">
            <span>For how many machines</span>
            <input
              type="text"
              inputmode="numeric"
              autocomplete="off"
              value={usesText}
              aria-invalid={!valid}
              aria-describedby="uses-help"
              onInput={(event) => {
                setUsesText(event.currentTarget.value.trim());
              }}
            />
          </label>
        )}
        <label class="field select">
          <span>Good for</span>
          <select
            value={lifetimeS}
            onChange={(event) => {
              setLifetimeS(Number(event.currentTarget.value));
            }}
          >
            {LIFETIMES_S.map(([seconds, words]) => (
              <option key={seconds} value={seconds}>
                {words}
              </option>
            ))}
          </select>
        </label>
      </div>
      <p id="uses-help" class={valid ? "unseen" : "failure"} aria-live="polite">
        {valid ? "" : `A number from 1 to ${count(MOST_USES)}.`}
      </p>
      <Failure reason={failure} />
      <div class="dialog-actions dialog-actions-apart">
        <button type="button" class="button button-quiet" onClick={onByHand}>
          Set up by hand
        </button>
        <button
          type="submit"
          class="button button-primary"
          data-first-focus
          disabled={!valid || busy}
        >
          {busy ? "Making an invite…" : "Make an invite"}
        </button>
      </div>
    </form>
  );
}
