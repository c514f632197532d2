/** What befell a machine: stretches without a word from it, and reboots. */

import type { Track } from "../wire/history";
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
export function reboots(timeline: Timeline): number[] {
  const { ts, stepMs, tracks } = timeline;
  const uptime = tracks.get("uptime.s");
  if (!uptime) return [];
  const found: number[] = [];
  let before = -1;
  /** The bucket in which the last one was found, as long as the one after has not been seen. */
  let foundIn = -1;
  for (const [place, at] of ts.entries()) {
    const least = uptime.min[place];
    if (typeof least !== "number") continue;
    const began = at - least * 1000;
    const greatest = before < 0 ? null : uptime.max[before];
    if (foundIn >= 0 && began - (found.at(-1) ?? 0) <= 2 * stepMs) {
      // A bucket's least uptime may be of any moment in it; that of the next is of its beginning.
      found[found.length - 1] = began;
      foundIn = -1;
    } else if (typeof greatest === "number" && least < greatest - FALL_S) {
      // Two agents of one machine, each with its own clock, would make a reboot of every change.
      const isNew = !found.some((known) => Math.abs(known - began) < SAME_MS);
      if (isNew) found.push(began);
      foundIn = isNew && stepMs > 1 ? place : -1;
    }
    before = place;
  }
  if (foundIn >= 0) found[found.length - 1] = withinLast(timeline, uptime, foundIn);
  return found;
}

/** For a bucket that none follows yet: its greatest uptime is of its end, unless that was before. */
function withinLast({ ts, stepMs, upTo }: Timeline, { min, max }: Track, place: number): number {
  const [least, greatest] = [min[place] ?? 0, max[place] ?? 0];
  const middle = ((ts[place] ?? 0) + upTo) / 2;
  return (greatest - least) * 1000 <= stepMs ? upTo - greatest * 1000 : middle;
}
