/** Where a chart's scale begins and ends. */

import { UNITS, type ChartSpec } from "./spec";

export type Limits = [low: number, high: number];

/** @param low, high of what is in sight; not finite where that is nothing */
export function limitsOf(spec: ChartSpec, low: number, high: number): Limits {
  const top = Number.isFinite(high) ? high : 0;
  const bottom = Number.isFinite(low) ? low : 0;
  const { least } = UNITS[spec.unit];
  if (spec.shape === "mirror") {
    const [up, down] = [roundUp(Math.max(least, top)), roundUp(Math.max(least, -bottom))];
    // The smaller half keeps room for its figures.
    return [-Math.max(down, up / 5), Math.max(up, down / 5)];
  }
  switch (spec.scale) {
    case "whole":
      return [0, 100];
    case "share":
      return [0, top <= 25 ? 25 : top <= 50 ? 50 : Math.max(100, top)];
    case "free":
      return [bottom < 0 ? -roundUp(-bottom) : 0, roundUp(Math.max(least, top)) || 1];
    case "level": {
      const step = least || 1;
      return [Math.floor(bottom / step - 1) * step, Math.ceil(top / step + 1) * step];
    }
  }
}

const STEPS = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10] as const;

/** The next round number that leaves a little room. */
export function roundUp(value: number): number {
  if (value <= 0) return 0;
  const wanted = value * 1.04;
  const unit = 10 ** Math.floor(Math.log10(wanted));
  return (STEPS.find((step) => step * unit >= wanted) ?? 10) * unit;
}
