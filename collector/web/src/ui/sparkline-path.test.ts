import { expect, it } from "vitest";
import { SPARKLINE_POINTS } from "../fleet/state";
import { scaleTop, sparklinePaths } from "./sparkline-path";

it("scales in three steps", () => {
  expect([[], [3], [25], [26], [50], [51], [100]].map(scaleTop)).toEqual([
    25, 25, 25, 50, 50, 100, 100,
  ]);
});

it("puts the newest point at the right edge", () => {
  const last = SPARKLINE_POINTS - 1;
  expect(sparklinePaths([0, 100]).line).toBe(`M${last - 1} 100.0L${last} 0.0`);
  expect(sparklinePaths([0, 100]).area).toMatch(new RegExp(`L${last} 100L${last - 1} 100Z$`));
});

it("draws a single point as a short line, and nothing of nothing", () => {
  expect(sparklinePaths([25]).line).toBe("M28 0.0L29 0.0");
  expect(sparklinePaths([])).toEqual({ line: "", area: "" });
});
