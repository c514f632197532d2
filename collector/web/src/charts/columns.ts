/** A chart's columns from a timeline: what the lines, stacks and bands are drawn from. */

import { drawnAt, type Timeline } from "../history/timeline";
import type { Column, Track } from "../wire/history";
import type { ChartSpec } from "./spec";

/** Unix ms, then one column a drawn series. */
export type ChartColumns = readonly [readonly number[], ...Column[]];

/** What a drawn series is to its line. */
export interface Drawn {
  readonly line: number;
  readonly part: "max" | "min" | "avg" | "peak";
}

/** The bands of more lines would hide each other. */
const MOST_BANDS = 3;

/**
 * The drawn series, in the order of the columns. The first line comes last: it lies before the
 * others. Bands come before their line.
 */
export function drawnSeries(spec: ChartSpec, bucketed: boolean): readonly Drawn[] {
  if (spec.shape === "stack") {
    // From the top down: what lies lower is drawn over what reaches up from below it.
    const lines = spec.lines.map((_, line): Drawn => ({ line, part: "avg" })).reverse();
    return bucketed && spec.peak ? [...lines, { line: -1, part: "peak" }] : lines;
  }
  const banded = bucketed && spec.lines.length <= MOST_BANDS;
  return spec.lines
    .map((_, line): Drawn[] =>
      banded
        ? [
            { line, part: "max" },
            { line, part: "min" },
            { line, part: "avg" },
          ]
        : [{ line, part: "avg" }],
    )
    .reverse()
    .flat();
}

export function columnsOf(
  spec: ChartSpec,
  timeline: Timeline,
  drawn: readonly Drawn[],
): ChartColumns {
  const { ts, stepMs } = timeline;
  const times = ts.map((at) => drawnAt(at, stepMs));
  const nothing: Column = new Array<null>(ts.length).fill(null);
  const track = (key: string | undefined): Track =>
    timeline.tracks.get(key ?? "") ?? { avg: nothing, min: nothing, max: nothing };
  const stacked =
    spec.shape === "stack" ? stack(spec.lines.map((line) => track(line.key).avg)) : [];
  const columns = drawn.map(({ line, part }): Column => {
    if (part === "peak") return track(spec.peak).max;
    if (spec.shape === "stack") return stacked[line] ?? nothing;
    const { avg, min, max } = track(spec.lines[line]?.key);
    if (!spec.lines[line]?.below) return part === "avg" ? avg : part === "min" ? min : max;
    return negative(part === "avg" ? avg : part === "min" ? max : min);
  });
  return [times, ...columns];
}

/** Each column on top of those before it. Where nothing at all was measured there is a gap. */
export function stack(columns: readonly Column[]): Column[] {
  const height = columns[0]?.length ?? 0;
  const below = new Array<number>(height).fill(0);
  const measured = Array.from({ length: height }, (_, place) =>
    columns.some((column) => typeof column[place] === "number"),
  );
  return columns.map((column) =>
    column.map((value, place) => {
      if (!measured[place]) return null;
      const sum = (below[place] ?? 0) + (value ?? 0);
      below[place] = sum;
      return sum;
    }),
  );
}

function negative(column: Column): Column {
  return column.map((value) => (value === null ? null : -value));
}
