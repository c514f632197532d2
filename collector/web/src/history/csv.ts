/** A stretch of a timeline as CSV (RFC 4180): one line a place in time, one column a series. */

import { inOrder } from "./keys";
import type { Extent } from "./range";
import { isBucketed, isMeasured, placesWithin, type Timeline } from "./timeline";

export function csvOf(timeline: Timeline, extent: Extent): string {
  const tracks = Array.from(timeline.tracks).sort(([a], [b]) => inOrder(a, b));
  const bucketed = isBucketed(timeline);
  const head = ["time", ...tracks.flatMap(([key]) => (bucketed ? threeOf(key) : [key]))];
  const lines = [head.map(field).join(",")];
  const [first, end] = placesWithin(timeline, extent.from, extent.to);
  for (let place = first; place < end; place += 1) {
    if (!isMeasured(timeline, place)) continue;
    const figures = tracks.flatMap(([, { avg, min, max }]) =>
      (bucketed ? [avg, min, max] : [avg]).map((column) => figure(column[place])),
    );
    lines.push([new Date(timeline.ts[place] ?? 0).toISOString(), ...figures].join(","));
  }
  return `${lines.join("\r\n")}\r\n`;
}

function threeOf(key: string): string[] {
  return [key, `${key} min`, `${key} max`];
}

/** Averages of the last bucket go on being averaged here: no more digits than say something. */
function figure(value: number | null | undefined): string {
  return typeof value === "number" ? String(Math.round(value * 1000) / 1000) : "";
}

/** Keys begin with a letter, so none can be taken for a formula. */
function field(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
