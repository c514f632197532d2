/**
 * The machines before and after one, in the order in which the fleet was last looked at: its
 * sorting and its filters, as they were when the machine was opened. A sorting by live figures must
 * not change while one goes through the machines.
 */

import { arrange, mend } from "../../fleet/arrange";
import { DEFAULT_QUERY, parseFleetQuery, type FleetQuery } from "../../fleet/query";
import type { Fleet } from "../../fleet/state";

export interface Neighbours {
  readonly before: string | null;
  readonly after: string | null;
  /** Counted from 1. */
  readonly position: number;
  readonly count: number;
}

interface Walk {
  readonly params: string;
  readonly query: FleetQuery;
  ids: readonly string[];
}

let walk: Walk | null = null;

/** @param params what the fleet's view is sorted and filtered by, as its address has it */
export function neighboursOf(id: string, fleet: Fleet, params: URLSearchParams): Neighbours {
  if (walk?.params !== params.toString() || !walk.ids.includes(id)) walk = begun(id, fleet, params);
  walk.ids = mend(walk.ids, fleet, walk.query);
  return around(walk.ids, id);
}

/** A machine that the filters leave out stands among all of them. */
function begun(id: string, fleet: Fleet, params: URLSearchParams): Walk {
  const asked = parseFleetQuery(params);
  const ids = arrange(fleet, asked);
  if (ids.includes(id)) return { params: params.toString(), query: asked, ids };
  const query = { ...DEFAULT_QUERY, sort: asked.sort, direction: asked.direction };
  return { params: params.toString(), query, ids: arrange(fleet, query) };
}

export function around(ids: readonly string[], id: string): Neighbours {
  const at = ids.indexOf(id);
  return {
    before: ids[at - 1] ?? null,
    after: at < 0 ? null : (ids[at + 1] ?? null),
    position: at + 1,
    count: ids.length,
  };
}
