/** When the fleet is sorted anew: at once when asked to, and otherwise never under the hand. */

import { useRef } from "preact/hooks";
import { arrange, mend } from "../../fleet/arrange";
import type { FleetQuery } from "../../fleet/query";
import type { Fleet } from "../../fleet/state";

/** A list sorted by live figures moves at most this often, */
const SETTLE_MS = 3000;
/** and not until so long after the pointer or the focus last moved in it. */
const HAND_MS = 15_000;

export interface Order {
  readonly ids: readonly string[];
  readonly onHand: () => void;
  readonly onHandGone: () => void;
}

export function useOrder(fleet: Fleet, query: FleetQuery): Order {
  const last = useRef({ ids: [] as readonly string[], fleet, query, sortedAt: -Infinity });
  const hand = useRef(-Infinity);
  const before = last.current;
  const asked = !sameOrder(before.query, query);
  const now = performance.now();
  const maySort = now - before.sortedAt >= SETTLE_MS && now - hand.current >= HAND_MS;
  if (asked || maySort) {
    last.current = { ids: arrange(fleet, query), fleet, query, sortedAt: now };
  } else if (before.fleet !== fleet) {
    last.current = { ...before, ids: mend(before.ids, fleet, query), fleet };
  }
  return {
    ids: last.current.ids,
    onHand: () => {
      hand.current = performance.now();
    },
    onHandGone: () => {
      hand.current = -Infinity;
    },
  };
}

function sameOrder(a: FleetQuery, b: FleetQuery): boolean {
  return (
    a.sort === b.sort &&
    a.direction === b.direction &&
    a.search === b.search &&
    a.statuses.join() === b.statuses.join() &&
    a.tags.join() === b.tags.join()
  );
}
