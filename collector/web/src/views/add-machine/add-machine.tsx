/** "Add a machine": an invite and the one line that joins with it; or the way by hand. */

import { useEffect, useRef, useState } from "preact/hooks";
import { Dialog } from "../../ui/dialog";
import type { MintedInvite } from "../../wire/messages";
import { ByHand } from "./by-hand";
import { ChooseInvite } from "./choose-invite";
import { JoinWith } from "./join-with";

interface AddMachineProps {
  readonly onClose: () => void;
  /** A machine that is known already, and is set up again. */
  readonly nodeId?: string;
}

const anytime = () => true;

export function AddMachine({ onClose, nodeId }: AddMachineProps) {
  const [minted, setMinted] = useState<MintedInvite | null>(null);
  const [byHand, setByHand] = useState(false);
  const [title, setTitle] = useState(nodeId ? `Set up ${nodeId} again` : "Add a machine");
  const guard = useRef(anytime);
  const content = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // What had the focus went with the step before.
    content.current?.querySelector<HTMLElement>("[data-first-focus]")?.focus();
  }, [minted, byHand]);
  return (
    <Dialog title={title} wide onClose={onClose} mayClose={() => guard.current()}>
      <div ref={content} class="dialog-content">
        {byHand ? (
          <ByHand
            nodeId={nodeId}
            onTitle={setTitle}
            onClose={onClose}
            onBack={() => {
              setByHand(false);
            }}
            guard={guard}
          />
        ) : minted ? (
          <JoinWith
            minted={minted}
            onClose={onClose}
            onAnother={() => {
              setMinted(null);
            }}
          />
        ) : (
          <ChooseInvite
            nodeId={nodeId}
            onMinted={setMinted}
            onByHand={() => {
              setByHand(true);
            }}
          />
        )}
      </div>
    </Dialog>
  );
}
