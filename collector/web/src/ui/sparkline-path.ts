/** Where the line of a sparkline runs, in a box of SPARKLINE_POINTS - 1 by 100, y down. */

import { SPARKLINE_POINTS } from "../fleet/state";

/**
 * Where 100 of the box is. Three steps and no finer: quiet machines show their shape, and a scale
 * that followed every point would make drama of noise.
 */
export function scaleTop(points: readonly number[]): 25 | 50 | 100 {
  const high = Math.max(0, ...points);
  return high <= 25 ? 25 : high <= 50 ? 50 : 100;
}

export function sparklinePaths(points: readonly number[]): { line: string; area: string } {
  if (points.length === 0) return { line: "", area: "" };
  const top = scaleTop(points);
  const first = SPARKLINE_POINTS - points.length;
  const places = points.map((pct, index) => {
    const height = (Math.min(top, Math.max(0, pct)) / top) * 100;
    return `${first + index} ${(100 - height).toFixed(1)}`;
  });
  const only = points.length === 1;
  const line = `M${only ? `${first - 1} ${(places[0] ?? "").split(" ")[1] ?? ""}L` : ""}${places.join("L")}`;
  const start = only ? first - 1 : first;
  return { line, area: `${line}L${SPARKLINE_POINTS - 1} 100L${start} 100Z` };
}
