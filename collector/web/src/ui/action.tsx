/** Something that somebody does: it runs once at a time, and says why when it fails. */

import { useState } from "preact/hooks";
import { reasonOf } from "../reason";

export interface Action {
  readonly busy: boolean;
  readonly failure: string;
  readonly run: (work: () => Promise<void>) => void;
}

export function useAction(): Action {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const run = (work: () => Promise<void>) => {
    if (busy) return;
    setBusy(true);
    setFailure("");
    work()
      .catch((error: unknown) => {
        setFailure(reasonOf(error));
      })
      .finally(() => {
        setBusy(false);
      });
  };
  return { busy, failure, run };
}

export function Failure({ reason }: { readonly reason: string }) {
  return reason ? (
    <p class="failure" role="alert">
      {reason}
    </p>
  ) : null;
}
