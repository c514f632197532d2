/** Who came with an invite: told by the collector, and then heard on the fleet's stream. */

import type { Fleet } from "../../fleet/state";
import type { Invite } from "../../wire/messages";

export interface Arrival {
  readonly id: string;
  /** It has pushed since it joined. */
  readonly here: boolean;
}

/** Those who joined, and when each was last heard before that was known; 0: never. */
export type Joined = ReadonlyMap<string, number>;

export function withNews(known: Joined, invite: Invite, fleet: Fleet | null): Joined {
  const fresh = invite.joined.filter((id) => !known.has(id)).reverse();
  if (fresh.length === 0) return known;
  // Only an invite for one node makes a machine somebody who was heard before.
  const heard = (id: string) => (invite.node_id === null ? 0 : (fleet?.get(id)?.lastSeen ?? 0));
  return new Map([...known, ...fresh.map((id) => [id, heard(id)] as const)]);
}

/** Those who joined, in the order they did. */
export function arrivals(joined: Joined, fleet: Fleet | null): readonly Arrival[] {
  return Array.from(joined, ([id, before]) => {
    const machine = fleet?.get(id);
    return { id, here: machine?.status === "online" && machine.lastSeen > before };
  });
}
