/** The tokens a machine may use, for admins. */

import { useState } from "preact/hooks";
import { tokens } from "../../api";
import { useLoaded } from "../../ui/load";
import { AddMachine } from "../add-machine/add-machine";
import { TokenList } from "../access/token-list";

interface MachineTokensProps {
  readonly nodeId: string;
  /** Whose token it uses, when it is not its own. */
  readonly sharesTokenOf: string | null;
}

export function MachineTokens({ nodeId, sharesTokenOf }: MachineTokensProps) {
  const [loaded, reload] = useLoaded(tokens);
  const [minting, setMinting] = useState(false);
  return (
    <section class="panel block">
      <header class="block-head">
        <h2>Tokens of this machine</h2>
        <button
          type="button"
          class="button"
          onClick={() => {
            setMinting(true);
          }}
        >
          Set up again
        </button>
      </header>
      <TokenList
        loaded={loaded}
        only={(token) => token.node_id === nodeId}
        empty={
          sharesTokenOf === null
            ? "This machine has no token: its agent cannot report."
            : `This machine has no token of its own: it reports with that of ${sharesTokenOf}.`
        }
        onChange={reload}
      />
      {minting && (
        <AddMachine
          nodeId={nodeId}
          onClose={() => {
            setMinting(false);
            reload();
          }}
        />
      )}
    </section>
  );
}
