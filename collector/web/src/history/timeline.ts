/**
 * A machine's past as the page holds it: the collector's columns, and at their end what came
 * since. It is never changed, only replaced, so that what draws it can tell by identity that
 * nothing is new.
 */

import type { History, Track } from "../wire/history";
import type { Point } from "../wire/messages";

export interface Timeline {
  /** 1: every snapshot stands for itself. Otherwise `ts` is where a bucket of this length begins. */
  readonly stepMs: number;
  readonly ts: readonly number[];
  readonly tracks: ReadonlyMap<string, Track>;
  /** What was taken up to here is in it. */
  readonly upTo: number;
  /** How many snapshots the last bucket's averages stand for, as far as we know. */
  readonly lastWeight: number;
  /** Silence that is longer than this is a gap. */
  readonly gapMs: number;
}

/** An agent that nobody watches reports this often. */
const USUAL_INTERVAL_MS = 5000;
/** Shorter silence is no gap. As the collector sees it too. */
const SHORTEST_GAP_MS = 15_000;
const GAP_STEPS = 3;

export function timelineOf(history: History): Timeline {
  const { step_ms: stepMs, ts, series } = history;
  const last = ts.at(-1) ?? history.to;
  const timeline = {
    stepMs,
    ts,
    tracks: stepMs === 1 ? withOneColumn(series) : series,
    upTo: stepMs === 1 ? last : Math.max(last, Math.min(history.to, last + stepMs) - 1),
    lastWeight: Math.max(1, Math.round((history.to - last) / USUAL_INTERVAL_MS)),
  };
  return withoutSmallHoles(timeline);
}

export function isBucketed(timeline: Pick<Timeline, "stepMs">): boolean {
  return timeline.stepMs > 1;
}

/** Snapshots that stand for themselves have three columns alike: one is enough. */
function withOneColumn(series: ReadonlyMap<string, Track>): ReadonlyMap<string, Track> {
  return new Map(Array.from(series, ([key, { avg }]) => [key, { avg, min: avg, max: avg }]));
}

/**
 * An agent that reports every 5 s leaves buckets of 3 s empty though it was never silent: what is
 * no gap goes, so that lines run through.
 */
function withoutSmallHoles(timeline: Omit<Timeline, "gapMs">): Timeline {
  const { ts, stepMs } = timeline;
  const measured = ts.flatMap((_, place) => (isMeasured(timeline, place) ? [place] : []));
  const times = measured.map((place) => ts[place] ?? 0);
  const gapMs = Math.max(SHORTEST_GAP_MS, Math.max(stepMs, usualStep(times)) * GAP_STEPS);
  // Where there are no buckets the collector put a hole into every gap and nowhere else.
  if (stepMs === 1) return { ...timeline, gapMs };
  const kept: number[] = [];
  for (const [index, place] of measured.entries()) {
    const before = measured[index - 1];
    if (before !== undefined && (ts[place] ?? 0) - (ts[before] ?? 0) > gapMs) {
      for (let empty = before + 1; empty < place; empty += 1) kept.push(empty);
    }
    kept.push(place);
  }
  if (kept.length === ts.length) return { ...timeline, gapMs };
  const take = <T>(list: readonly T[]) => kept.map((place) => list[place] as T);
  const tracks = new Map<string, Track>();
  for (const [key, { avg, min, max }] of timeline.tracks) {
    const one = take(avg);
    tracks.set(key, { avg: one, min: min === avg ? one : take(min), max: max === avg ? one : take(max) });
  }
  return { ...timeline, ts: take(ts), tracks, gapMs };
}

/** The median time between two points, the shorter of two. */
function usualStep(ts: readonly number[]): number {
  const steps = ts.slice(1).map((at, index) => at - (ts[index] ?? at));
  steps.sort((a, b) => a - b);
  // Two or three points tell nothing of what is usual.
  const usual = steps.length < 3 ? undefined : steps[Math.floor((steps.length - 1) / 2)];
  return usual ?? USUAL_INTERVAL_MS;
}

/** With points that came since, and without what is before `keepFrom`, but for one place. */
export function extended(
  timeline: Timeline,
  points: readonly Point[],
  keepFrom: number,
): Timeline {
  const fresh = points.filter((point) => point.ts > timeline.upTo);
  if (fresh.length === 0) return timeline;
  const draft = new Draft(timeline);
  for (const point of fresh) draft.add(point);
  return draft.finished(keepFrom);
}

interface DraftTrack {
  avg: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
}

class Draft {
  readonly #stepMs: number;
  readonly #gapMs: number;
  readonly #ts: number[];
  readonly #tracks = new Map<string, DraftTrack>();
  #upTo: number;
  #weight: number;

  constructor(timeline: Timeline) {
    this.#stepMs = timeline.stepMs;
    this.#gapMs = timeline.gapMs;
    this.#ts = [...timeline.ts];
    this.#upTo = timeline.upTo;
    this.#weight = timeline.lastWeight;
    for (const [key, { avg, min, max }] of timeline.tracks) {
      const own = [...avg];
      this.#tracks.set(
        key,
        this.#stepMs > 1 ? { avg: own, min: [...min], max: [...max] } : asOne(own),
      );
    }
  }

  add(point: Point): void {
    if (point.ts <= this.#upTo) return;
    if (this.#stepMs > 1) this.#addToBucket(point);
    else this.#addPlace(point);
    this.#upTo = point.ts;
  }

  #addPlace(point: Point): void {
    const last = this.#ts.at(-1);
    if (last !== undefined && point.ts - last > this.#gapMs) this.#push(last + 1000, NONE);
    this.#push(point.ts, point.values);
  }

  #addToBucket(point: Point): void {
    const start = Math.floor(point.ts / this.#stepMs) * this.#stepMs;
    const last = this.#ts.at(-1);
    if (last === start) {
      this.#merge(point);
      return;
    }
    if (last !== undefined && start - last > this.#gapMs) {
      const missing = Math.min(LONGEST_HOLE, (start - last) / this.#stepMs - 1);
      for (let place = missing; place > 0; place -= 1) {
        this.#push(start - place * this.#stepMs, NONE);
      }
    }
    this.#push(start, point.values);
    this.#weight = 1;
  }

  #push(ts: number, values: ReadonlyMap<string, number>): void {
    this.#ts.push(ts);
    for (const key of values.keys()) {
      if (this.#tracks.has(key)) continue;
      const empty = () => new Array<number | null>(this.#ts.length - 1).fill(null);
      this.#tracks.set(
        key,
        this.#stepMs > 1 ? { avg: empty(), min: empty(), max: empty() } : asOne(empty()),
      );
    }
    for (const [key, track] of this.#tracks) {
      const value = values.get(key) ?? null;
      track.avg.push(value);
      if (track.min !== track.avg) track.min.push(value);
      if (track.max !== track.avg) track.max.push(value);
    }
  }

  #merge(point: Point): void {
    const place = this.#ts.length - 1;
    const weight = this.#weight;
    for (const [key, value] of point.values) {
      let track = this.#tracks.get(key);
      if (!track) {
        const empty = () => new Array<number | null>(this.#ts.length).fill(null);
        track = { avg: empty(), min: empty(), max: empty() };
        this.#tracks.set(key, track);
      }
      const { [place]: avg = null } = track.avg;
      track.avg[place] = avg === null ? value : (avg * weight + value) / (weight + 1);
      track.min[place] = Math.min(track.min[place] ?? value, value);
      track.max[place] = Math.max(track.max[place] ?? value, value);
    }
    this.#weight = weight + 1;
  }

  finished(keepFrom: number): Timeline {
    // The place before the edge stays, so that lines reach the edge.
    const first = Math.max(0, this.#ts.findIndex((ts) => ts >= keepFrom) - 1);
    const cut = <T>(list: T[]) => (first > 0 ? list.slice(first) : list);
    const tracks = new Map<string, Track>();
    for (const [key, { avg, min, max }] of this.#tracks) {
      const kept = cut(avg);
      tracks.set(
        key,
        min === avg
          ? { avg: kept, min: kept, max: kept }
          : { avg: kept, min: cut(min), max: cut(max) },
      );
    }
    return {
      stepMs: this.#stepMs,
      ts: cut(this.#ts),
      tracks,
      upTo: this.#upTo,
      lastWeight: this.#weight,
      gapMs: this.#gapMs,
    };
  }
}

const NONE: ReadonlyMap<string, number> = new Map();
/** After longer silence than so many buckets the collector is asked anew anyway. */
const LONGEST_HOLE = 600;

function asOne(column: (number | null)[]): DraftTrack {
  return { avg: column, min: column, max: column };
}

/** The place nearest to a moment; -1 where there is none. */
export function placeAt({ ts, stepMs }: Timeline, at: number): number {
  if (ts.length === 0) return -1;
  // A bucket is where its middle is drawn.
  const wanted = at - drawnAt(0, stepMs);
  let low = 0;
  let high = ts.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ts[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  const before = ts[low - 1];
  const here = ts[low] ?? 0;
  return before !== undefined && wanted - before < here - wanted ? low - 1 : low;
}

/** Where on the time axis a place is drawn: a bucket at its middle. */
export function drawnAt(ts: number, stepMs: number): number {
  return stepMs > 1 ? ts + stepMs / 2 : ts;
}

/** The places within a stretch of time, as [first, end). */
export function placesWithin(
  { ts, stepMs }: Timeline,
  from: number,
  to: number,
): readonly [number, number] {
  const length = stepMs > 1 ? stepMs : 0;
  let first = 0;
  while (first < ts.length && (ts[first] ?? 0) + length < from) first += 1;
  let end = ts.length;
  while (end > first && (ts[end - 1] ?? 0) > to) end -= 1;
  return [first, end];
}

/** The last place at which anything was measured, -1 where there is none. */
export function lastMeasured(timeline: Timeline, end = timeline.ts.length): number {
  for (let place = end - 1; place >= 0; place -= 1) {
    if (isMeasured(timeline, place)) return place;
  }
  return -1;
}

export function isMeasured({ tracks }: Pick<Timeline, "tracks">, place: number): boolean {
  for (const { avg } of tracks.values()) {
    if (typeof avg[place] === "number") return true;
  }
  return false;
}

export function valueAt(timeline: Timeline, key: string, place: number): number | undefined {
  return timeline.tracks.get(key)?.avg[place] ?? undefined;
}

/** Every figure of one place. */
export function valuesAt(timeline: Timeline, place: number): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const [key, { avg }] of timeline.tracks) {
    const value = avg[place];
    if (typeof value === "number") values.set(key, value);
  }
  return values;
}
