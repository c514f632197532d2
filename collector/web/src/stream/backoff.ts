/** How long to wait before trying again: doubling, with full jitter, up to 15 s. */

const FIRST_MS = 500;
const LONGEST_MS = 15_000;
const SHORTEST_MS = 250;

/** @param failures how many tries have failed in a row, 1 or more; @param random in [0, 1) */
export function backoffMs(failures: number, random: number): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 16));
  return Math.max(SHORTEST_MS, Math.round(random * ceiling));
}
