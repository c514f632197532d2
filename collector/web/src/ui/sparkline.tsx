/** The last CPU figures as a small area. Its newest point is at the right edge. */

import { memo } from "preact/compat";
import { SPARKLINE_POINTS } from "../fleet/state";
import { percent } from "../format/units";
import { scaleTop, sparklinePaths } from "./sparkline-path";

export const Sparkline = memo(function Sparkline({
  points,
}: {
  readonly points: readonly number[];
}) {
  const { line, area } = sparklinePaths(points);
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${SPARKLINE_POINTS - 1} 100`}
      preserveAspectRatio="none"
      role="img"
      aria-label={described(points)}
    >
      <path class="sparkline-area" d={area} />
      <path class="sparkline-line" d={line} vector-effect="non-scaling-stroke" />
    </svg>
  );
});

function described(points: readonly number[]): string {
  if (points.length === 0) return "No CPU figures yet";
  const low = Math.min(...points);
  const high = Math.max(...points);
  return `CPU lately between ${percent(low)} and ${percent(high)}, scale to ${scaleTop(points)} %`;
}
