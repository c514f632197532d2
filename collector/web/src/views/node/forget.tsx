/** Forgets a machine, after its id was typed. */

import { useState } from "preact/hooks";
import { forgetNode } from "../../api";
import type { Machine } from "../../fleet/state";
import { goToFleet } from "../../location";
import { FormDialog, TextField } from "../../ui/form-dialog";

interface ForgetMachineProps {
  readonly machine: Machine;
  readonly onClose: () => void;
}

export function ForgetMachine({ machine, onClose }: ForgetMachineProps) {
  const [typed, setTyped] = useState("");
  return (
    <FormDialog
      title={`Forget ${machine.id}?`}
      verb="Forget it"
      danger
      ready={typed.trim() === machine.id}
      onSubmit={async () => {
        await forgetNode(machine.id);
        goToFleet();
      }}
      onClose={onClose}
    >
      <p>
        Its history is deleted and its tokens are revoked. This cannot be undone. An agent that
        still runs there is turned away until it gets a new token.
      </p>
      <TextField
        label={
          <>
            Type <code>{machine.id}</code> to confirm
          </>
        }
        value={typed}
        onChange={setTyped}
        firstFocus
      />
    </FormDialog>
  );
}
