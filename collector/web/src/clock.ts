/**
 * The collector's clock. Spans such as "seen 5 s ago" compare two of its times, so that neither
 * this browser's clock nor a machine's can falsify them.
 */

import { signal } from "@preact/signals";

/** A change of offset smaller than this is only how long a frame was under way. */
const NOISE_MS = 500;

let offset: number | null = null;
let stopped = false;

/** Ticks once a second while the stream is live. */
export const now = signal(Date.now());

export function setCollectorTime(ms: number): void {
  const measured = ms - Date.now();
  if (offset !== null && Math.abs(measured - offset) < NOISE_MS) return;
  offset = measured;
  tick();
}

/** While the connection is lost the figures are of when it was lost, and time stands still. */
export function stopClock(stop: boolean): void {
  stopped = stop;
  tick();
}

/** The browser's own time of an event at the collector. */
export function inLocalTime(collectorMs: number): number {
  return collectorMs - (offset ?? 0);
}

function tick(): void {
  if (!stopped) now.value = Date.now() + (offset ?? 0);
}

setInterval(tick, 1000);
