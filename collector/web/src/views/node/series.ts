/** The chart's columns from a machine's points, with gaps as gaps. */

import type { Point, Values } from "../../wire/messages";

/** Unix seconds, then one column a line; null: nothing was measured. */
export type Columns = readonly [readonly number[], ...(readonly (number | null)[])[]];

type Line = (values: Values) => number | undefined;

/** Silence that is longer than this many usual steps is a gap. */
const GAP_STEPS = 3.5;

export function columnsOf(points: readonly Point[], lines: readonly Line[]): Columns {
  const times: number[] = [];
  const columns: (number | null)[][] = lines.map(() => []);
  const gap = usualStep(points) * GAP_STEPS;
  let before: Point | undefined;
  for (const point of points) {
    if (before && point.ts - before.ts > gap) {
      times.push((before.ts + point.ts) / 2000);
      for (const column of columns) column.push(null);
    }
    times.push(point.ts / 1000);
    lines.forEach((line, index) => columns[index]?.push(line(point.values) ?? null));
    before = point;
  }
  return [times, ...columns];
}

/** The median time between two points in ms. */
function usualStep(points: readonly Point[]): number {
  const steps = points
    .slice(1)
    .map((point, index) => point.ts - (points[index]?.ts ?? point.ts))
    .sort((a, b) => a - b);
  return steps[Math.floor(steps.length / 2)] ?? Infinity;
}
