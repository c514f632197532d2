/** Which bar is where: under the pointer, and beside another for the keys. */

import { LANE_PX, ROW_PAD_PX, ROW_PX, type Bar, type Layout, type Row } from "./layout";

export interface Place {
  readonly row: number;
  readonly bar: Bar;
}

/** Where a lane's bars stand in their row. */
export function laneTop(row: Row, lane: number): number {
  return row.lanes.length <= 1 ? ROW_PAD_PX : ROW_PAD_PX + lane * LANE_PX;
}

export function laneHeight(row: Row): number {
  return row.lanes.length <= 1 ? ROW_PX - 2 * ROW_PAD_PX : LANE_PX - 2;
}

export function rowAt(layout: Layout, y: number): number {
  let low = 0;
  let high = layout.rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = layout.rows[middle];
    if (row && row.top + row.height <= y) low = middle + 1;
    else high = middle;
  }
  return y >= 0 && low < layout.rows.length ? low : -1;
}

/** @param slack a bar this near counts too: one of a pixel can hardly be hit */
export function placeAt(layout: Layout, at: number, y: number, slack: number): Place | null {
  const number = rowAt(layout, y);
  const row = layout.rows[number];
  if (!row) return null;
  const inside = y - row.top - ROW_PAD_PX;
  const lane = row.lanes.length <= 1 ? 0 : Math.floor(inside / LANE_PX);
  const bars = row.lanes[lane];
  if (!bars) return null;
  const next = firstEndingAfter(bars, at);
  const [hit, before] = [bars[next], bars[next - 1]];
  if (hit && hit.from <= at) return { row: number, bar: hit };
  if (hit && hit.from - at <= slack) return { row: number, bar: hit };
  if (before && at - before.end <= slack) return { row: number, bar: before };
  return null;
}

/** The first of bars that do not overlap which ends after this time. */
export function firstEndingAfter(bars: readonly Bar[], at: number): number {
  let low = 0;
  let high = bars.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((bars[middle]?.end ?? 0) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

export type Step = "before" | "after" | "above" | "below" | "first" | "last";

/** Where a key leads from a bar; from nowhere, to the first there is. */
export function stepped(layout: Layout, from: Place | null, step: Step): Place | null {
  if (!from) return firstIn(layout, 0, 1);
  const row = layout.rows[from.row];
  if (!row) return firstIn(layout, 0, 1);
  const bars = inOrder(row);
  const at = bars.indexOf(from.bar);
  switch (step) {
    case "before":
    case "after": {
      const bar = bars[at + (step === "after" ? 1 : -1)];
      return bar ? { row: from.row, bar } : from;
    }
    case "first":
    case "last": {
      const bar = step === "first" ? bars[0] : bars.at(-1);
      return bar ? { row: from.row, bar } : from;
    }
    case "above":
    case "below": {
      const way = step === "below" ? 1 : -1;
      const other = firstIn(layout, from.row + way, way);
      return other ? nearest(layout, other.row, from.bar.task.start) : from;
    }
  }
}

/** The row from here on that has any bar, and its first one. */
function firstIn(layout: Layout, from: number, way: 1 | -1): Place | null {
  for (let number = from; number >= 0 && number < layout.rows.length; number += way) {
    const row = layout.rows[number];
    const bar = row && inOrder(row)[0];
    if (bar) return { row: number, bar };
  }
  return null;
}

function nearest(layout: Layout, number: number, at: number): Place | null {
  const row = layout.rows[number];
  if (!row) return null;
  let best: Bar | null = null;
  for (const bar of row.lanes.flat()) {
    if (!best || Math.abs(bar.task.start - at) < Math.abs(best.task.start - at)) best = bar;
  }
  return best && { row: number, bar: best };
}

function inOrder(row: Row): readonly Bar[] {
  if (row.lanes.length <= 1) return row.lanes[0] ?? [];
  return row.lanes.flat().sort((a, b) => a.task.start - b.task.start || a.lane - b.lane);
}
