/** From a share to a colour: quiet cores fade into the ground, busy ones stand out. */

import { channels, type Palette } from "./palette";

/** 101 colours as red, green, blue: one for each percent. */
export type Ramp = Uint8Array;

export function rampOf(palette: Palette): Ramp {
  const stops = (
    [
      [0, "--heat-0"],
      [30, "--heat-1"],
      [70, "--heat-2"],
      [88, "--heat-3"],
      [100, "--heat-4"],
    ] as const
  ).map(([pct, name]) => [pct, channels(palette(name))] as const);
  const ramp = new Uint8Array(101 * 3);
  for (let pct = 0; pct <= 100; pct += 1) {
    const above = Math.max(
      1,
      stops.findIndex(([stop]) => stop >= pct),
    );
    const [low, from] = stops[above - 1] ?? [0, [0, 0, 0]];
    const [high, to] = stops[above] ?? [100, [0, 0, 0]];
    const share = (pct - low) / (high - low);
    for (let channel = 0; channel < 3; channel += 1) {
      const start = from[channel] ?? 0;
      ramp[pct * 3 + channel] = start + ((to[channel] ?? 0) - start) * share;
    }
  }
  return ramp;
}

/** Where a percentage stands in the ramp. */
export function rampIndex(pct: number): number {
  return Math.round(Math.min(100, Math.max(0, pct))) * 3;
}

export function rampColour(ramp: Ramp, pct: number): string {
  const at = rampIndex(pct);
  return `rgb(${ramp[at] ?? 0}, ${ramp[at + 1] ?? 0}, ${ramp[at + 2] ?? 0})`;
}
