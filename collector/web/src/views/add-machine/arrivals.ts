/** Who came with an invite: told by the collector, and then heard on the fleet's stream. */

import type { Fleet } from "../../fleet/state";
import type { Invite } from "../../wire/messages";

export interface Arrival {
  readonly id: string;
  /** It has pushed since it joined. */
  readonly here: boolean;
  /** Not a word since it joined, for longer than a start takes. */
  readonly silent: boolean;
}

interface Joining {
  /** When the machine was last heard before it was known to have joined; 0: never. */
  readonly heardBefore: number;
  readonly knownAt: number;
}

export type Joined = ReadonlyMap<string, Joining>;

/** An agent that was started pushes within seconds. */
const PATIENCE_MS = 30_000;

export function withNews(known: Joined, invite: Invite, fleet: Fleet | null, at: number): Joined {
  const fresh = invite.joined.filter((id) => !known.has(id)).reverse();
  if (fresh.length === 0) return known;
  // Only an invite for one node makes a machine somebody who was heard before.
  const heard = (id: string) => (invite.node_id === null ? 0 : (fleet?.get(id)?.lastSeen ?? 0));
  const joining = (id: string) => ({ heardBefore: heard(id), knownAt: at });
  return new Map([...known, ...fresh.map((id) => [id, joining(id)] as const)]);
}

/** Those who joined, in the order they did. */
export function arrivals(joined: Joined, fleet: Fleet | null, at: number): readonly Arrival[] {
  return Array.from(joined, ([id, { heardBefore, knownAt }]) => {
    const machine = fleet?.get(id);
    const heard = (machine?.lastSeen ?? 0) > heardBefore;
    return {
      id,
      here: heard && machine?.status === "online",
      silent: !heard && at - knownAt >= PATIENCE_MS,
    };
  });
}
