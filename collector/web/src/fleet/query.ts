/** What the fleet page shows, as its address says it: #/fleet?view=table&sort=cpu&status=offline */

import { CONDITIONS, type Condition } from "./state";

export const VIEWS = ["cards", "table"] as const;
export type View = (typeof VIEWS)[number];

export const SORT_KEYS = ["status", "name", "cpu", "memory", "disk", "traffic", "seen"] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export type Direction = "asc" | "desc";

export interface FleetQuery {
  readonly view: View;
  readonly sort: SortKey;
  readonly direction: Direction;
  /** Empty: any. Otherwise one of these. */
  readonly statuses: readonly Condition[];
  /** All of these. */
  readonly tags: readonly string[];
  readonly search: string;
}

/** The direction one wants first: faults first, names from A, the busiest and the newest first. */
export function naturalDirection(sort: SortKey): Direction {
  return sort === "status" || sort === "name" ? "asc" : "desc";
}

/** Nothing is filtered out. */
export const EVERY_MACHINE = { statuses: [], tags: [], search: "" } as const;

export const DEFAULT_QUERY: FleetQuery = {
  view: "cards",
  sort: "status",
  direction: "asc",
  ...EVERY_MACHINE,
};

export function parseFleetQuery(params: URLSearchParams): FleetQuery {
  const sort = among(SORT_KEYS, params.get("sort")) ?? DEFAULT_QUERY.sort;
  return {
    view: among(VIEWS, params.get("view")) ?? DEFAULT_QUERY.view,
    sort,
    direction: among(["asc", "desc"], params.get("dir")) ?? naturalDirection(sort),
    statuses: CONDITIONS.filter((condition) => params.getAll("status").includes(condition)),
    tags: [...new Set(params.getAll("tag"))].filter(Boolean),
    search: params.get("q") ?? "",
  };
}

/** Leaves out what is as it is by default, so that a plain view has a plain address. */
export function formatFleetQuery(query: FleetQuery): URLSearchParams {
  const params = new URLSearchParams();
  if (query.view !== DEFAULT_QUERY.view) params.set("view", query.view);
  if (query.sort !== DEFAULT_QUERY.sort) params.set("sort", query.sort);
  if (query.direction !== naturalDirection(query.sort)) params.set("dir", query.direction);
  for (const status of query.statuses) params.append("status", status);
  for (const tag of query.tags) params.append("tag", tag);
  if (query.search) params.set("q", query.search);
  return params;
}

export function isFiltered(query: FleetQuery): boolean {
  return query.statuses.length > 0 || query.tags.length > 0 || query.search.trim() !== "";
}

function among<const T extends string>(options: readonly T[], value: string | null): T | undefined {
  return options.find((option) => option === value);
}
