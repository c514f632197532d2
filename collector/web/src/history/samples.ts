/** Timelines for the tests. */

import type { History } from "../wire/history";
import { timelineOf, type Timeline } from "./timeline";

type Figures = Readonly<Record<string, readonly (number | null)[]>>;

/** Every snapshot for itself. */
export function snapshots(ts: readonly number[], figures: Figures): Timeline {
  return timelineOf(history(1, ts, figures));
}

/** Buckets whose least is 1 below and whose greatest 2 above their average. */
export function buckets(stepMs: number, ts: readonly number[], figures: Figures): Timeline {
  return timelineOf(history(stepMs, ts, figures));
}

export function history(stepMs: number, ts: readonly number[], figures: Figures): History {
  const spread = stepMs > 1 ? 1 : 0;
  return {
    node_id: "nas-2",
    from: ts[0] ?? 0,
    to: (ts.at(-1) ?? 0) + stepMs / 2,
    step_ms: stepMs,
    ts,
    series: new Map(
      Object.entries(figures).map(([key, avg]) => [
        key,
        {
          avg,
          min: avg.map((value) => (value === null ? null : value - spread)),
          max: avg.map((value) => (value === null ? null : value + 2 * spread)),
        },
      ]),
    ),
  };
}
