/** The machine of a job or a worker; for who sees jobs alone it is a name and no link. */

import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { nodeAddress } from "../../route";
import { seesJobsAlone } from "../../session";
import { fleet } from "../../stream/client";
import { Untrusted } from "../../ui/untrusted";

interface MachineLinkProps {
  readonly id: string;
  /** Said on hovering. */
  readonly worker: string | null;
  readonly tabIndex?: 0 | -1;
}

export function MachineLink({ id, worker, tabIndex }: MachineLinkProps) {
  // Drawn anew with the name alone: the fleet changes four times a second.
  const name = useMemo(() => computed(() => machineName(id)), [id]);
  const words = <Untrusted text={name.value} title={worker ?? id} />;
  if (seesJobsAlone.value) return words;
  return (
    <a href={nodeAddress(id)} tabIndex={tabIndex}>
      {words}
    </a>
  );
}

/** What people call a machine, as far as this sign-in may know. */
export function machineName(id: string): string {
  return fleet.value?.get(id)?.name ?? id;
}
