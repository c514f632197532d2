/** Forgets a machine, after its id was typed. */

import { useState } from "preact/hooks";
import { forgetNode } from "../../api";
import type { Machine } from "../../fleet/state";
import { goToFleet } from "../../location";
import { Failure, useAction } from "../../ui/action";
import { Dialog } from "../../ui/dialog";

interface ForgetMachineProps {
  readonly machine: Machine;
  readonly onClose: () => void;
}

export function ForgetMachine({ machine, onClose }: ForgetMachineProps) {
  const [typed, setTyped] = useState("");
  const { busy, failure, run } = useAction();
  return (
    <Dialog title={`Forget ${machine.id}?`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run(async () => {
            await forgetNode(machine.id);
            onClose();
            goToFleet();
          });
        }}
      >
        <p>
          Its history is deleted and its tokens are revoked. This cannot be undone. An agent that
          still runs there is turned away until it gets a new token.
        </p>
        <label class="field">
          <span>
            Type <code>{machine.id}</code> to confirm
          </span>
          <input
            type="text"
            data-first-focus
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            value={typed}
            onInput={(event) => {
              setTyped(event.currentTarget.value);
            }}
          />
        </label>
        <Failure reason={failure} />
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button
            type="submit"
            class="button button-danger"
            disabled={busy || typed.trim() !== machine.id}
          >
            Forget it
          </button>
        </div>
      </form>
    </Dialog>
  );
}
