/** What befell a machine: stretches without a word from it, and reboots. */

import type { Extent } from "./range";
import { isMeasured, type Timeline } from "./timeline";

/** Uptime that falls by less is a clock being set. */
const FALL_S = 2;
/** Nothing is started anew as often as this. */
const SAME_MS = 30_000;

/**
 * Stretches of a timeline in which nothing came.
 *
 * @param since when the machine was first heard: before that it did not miss
 */
export function silences(timeline: Timeline, { from, to }: Extent, since: number): Extent[] {
  const { ts, stepMs, gapMs } = timeline;
  const found: Extent[] = [];
  const note = (begin: number, end: number) => {
    const silence = { from: Math.max(from, since, begin), to: Math.min(to, end) };
    if (silence.to > silence.from) found.push(silence);
  };
  /** Until when something was heard. */
  let heard: number | null = null;
  let missed = false;
  for (const [place, at] of ts.entries()) {
    if (!isMeasured(timeline, place)) {
      missed = true;
      continue;
    }
    if (heard === null) {
      if (at - Math.max(from, since) > gapMs) note(from, at);
    } else if (missed) note(heard, at);
    heard = stepMs > 1 ? at + stepMs : at;
    missed = false;
  }
  if (heard !== null && (missed || to - heard > gapMs)) note(heard, to);
  return found;
}

/** When the machine was started anew, as far as uptime that falls tells it. */
export function reboots({ ts, stepMs, tracks }: Timeline): number[] {
  const uptime = tracks.get("uptime.s");
  if (!uptime) return [];
  const found: number[] = [];
  let before = -1;
  let foundAt = -1;
  for (const [place, at] of ts.entries()) {
    const least = uptime.min[place];
    if (typeof least !== "number") continue;
    const greatest = before < 0 ? null : uptime.max[before];
    if (typeof greatest === "number" && least < greatest - FALL_S) {
      const began = at - least * 1000;
      // The bucket in which it was restarted holds both uptimes. The one after tells when it was.
      const same = foundAt === before && began - (found.at(-1) ?? 0) <= 2 * stepMs;
      if (same) found.pop();
      // Two agents of one machine, each with its own clock, would make a reboot of every change.
      if (!found.some((known) => Math.abs(known - began) < SAME_MS)) found.push(began);
      foundAt = same ? -1 : place;
    }
    before = place;
  }
  return found;
}
