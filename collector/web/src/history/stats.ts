/** A few figures that say what a series, or all the cores, did. */

import type { Column, Track } from "../wire/history";
import { valueAt, type Timeline } from "./timeline";

export interface Spread {
  readonly min: number;
  readonly mean: number;
  readonly max: number;
  readonly last: number;
}

/** Over the places [first, end); null where nothing was measured. */
export function spreadOf(track: Track, first: number, end: number): Spread | null {
  let min = Infinity;
  let max = -Infinity;
  let sum = 0;
  let count = 0;
  let last = 0;
  for (let place = first; place < end; place += 1) {
    const avg = track.avg[place];
    if (typeof avg !== "number") continue;
    min = Math.min(min, track.min[place] ?? avg);
    max = Math.max(max, track.max[place] ?? avg);
    sum += avg;
    count += 1;
    last = avg;
  }
  return count === 0 ? null : { min, mean: sum / count, max, last };
}

/** The last figure at or before a place, within so many places. */
export function latestOf(column: Column, place: number, within = 1): number | undefined {
  for (let at = place; at > place - within && at >= 0; at -= 1) {
    const value = column[at];
    if (typeof value === "number") return value;
  }
  return undefined;
}

export interface CoresAtOnce {
  readonly average: number;
  readonly hottest: number;
  readonly max: number;
  readonly deviation: number;
}

/** How busy the cores are at one place; null where nothing was measured. */
export function coresAt(
  timeline: Timeline,
  keys: readonly string[],
  place: number,
): CoresAtOnce | null {
  let sum = 0;
  let squares = 0;
  let count = 0;
  let hottest = -1;
  let max = -Infinity;
  for (const [core, key] of keys.entries()) {
    const value = valueAt(timeline, key, place);
    if (value === undefined) continue;
    sum += value;
    squares += value * value;
    count += 1;
    if (value > max) {
      max = value;
      hottest = core;
    }
  }
  if (count === 0) return null;
  const average = sum / count;
  // Rounding may leave a little less than nothing.
  const deviation = Math.sqrt(Math.max(0, squares / count - average * average));
  return { average, hottest, max, deviation };
}
