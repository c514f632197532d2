/** Which stretch of time is looked at: its arithmetic, and how the address says it. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `last`: up to now, and moving on with it. `span`: from one moment to another, for good. */
export type Range =
  | { readonly kind: "last"; readonly ms: number }
  | { readonly kind: "span"; readonly from: number; readonly to: number };

/** To another range, or from whichever it is to another. */
export type SetRange = (to: Range | ((from: Range) => Range)) => void;

/** Unix ms by the collector's clock. */
export interface Extent {
  readonly from: number;
  readonly to: number;
}

export interface Preset {
  /** As the address says it. */
  readonly name: string;
  readonly label: string;
  readonly ms: number;
}

export const PRESETS: readonly Preset[] = [
  { name: "5m", label: "5 min", ms: 5 * MINUTE },
  { name: "15m", label: "15 min", ms: 15 * MINUTE },
  { name: "1h", label: "1 h", ms: HOUR },
  { name: "6h", label: "6 h", ms: 6 * HOUR },
  { name: "24h", label: "24 h", ms: DAY },
  { name: "48h", label: "48 h", ms: 2 * DAY },
  { name: "30d", label: "30 d", ms: 30 * DAY },
];

export const FIVE_MINUTES: Range = { kind: "last", ms: 5 * MINUTE };
export const ONE_HOUR: Range = { kind: "last", ms: HOUR };

/** Closer than this there is nothing to see: a watched machine reports once a second. */
const SHORTEST_MS = 20 * SECOND;
const LONGEST_MS = 30 * DAY;

export function parseRange(params: URLSearchParams, fallback: Range): Range {
  const from = moment(params.get("from"));
  const to = moment(params.get("to"));
  if (from !== null && to !== null && to - from >= SHORTEST_MS) {
    return { kind: "span", from: Math.max(from, to - LONGEST_MS), to };
  }
  const preset = PRESETS.find(({ name }) => name === params.get("range"));
  return preset ? { kind: "last", ms: preset.ms } : fallback;
}

/** Leaves out what is as it is by default, so that a plain view has a plain address. */
export function formatRange(range: Range, fallback: Range): URLSearchParams {
  const params = new URLSearchParams();
  if (sameRange(range, fallback)) return params;
  if (range.kind === "span") {
    params.set("from", String(Math.round(range.from)));
    params.set("to", String(Math.round(range.to)));
  } else {
    const preset = PRESETS.find(({ ms }) => ms === range.ms);
    if (preset) params.set("range", preset.name);
  }
  return params;
}

export function sameRange(a: Range, b: Range): boolean {
  if (a.kind === "last") return b.kind === "last" && a.ms === b.ms;
  return b.kind === "span" && a.from === b.from && a.to === b.to;
}

export function extentOf(range: Range, now: number): Extent {
  return range.kind === "last" ? { from: now - range.ms, to: now } : range;
}

export function lengthOf({ from, to }: Extent): number {
  return to - from;
}

/** A stretch that somebody marked, made long enough to be worth looking at; null: too short to be meant. */
export function marked(from: number, to: number): Range {
  const middle = (from + to) / 2;
  const half = Math.max(SHORTEST_MS, to - from) / 2;
  return { kind: "span", from: Math.round(middle - half), to: Math.round(middle + half) };
}

/** Half as long. What moves with the time goes on moving, as long as there is a shorter preset. */
export function zoomedIn(range: Range, now: number): Range {
  if (range.kind === "last") {
    const shorter = PRESETS.filter(({ ms }) => ms < range.ms).at(-1);
    if (shorter) return { kind: "last", ms: shorter.ms };
  }
  const { from, to } = extentOf(range, now);
  const quarter = (to - from) / 4;
  return to - from <= SHORTEST_MS ? range : marked(from + quarter, to - quarter);
}

/** Twice as long, but neither into the future nor beyond what is kept. */
export function zoomedOut(range: Range, now: number): Range {
  if (range.kind === "last") {
    const longer = PRESETS.find(({ ms }) => ms > range.ms);
    return longer ? { kind: "last", ms: longer.ms } : range;
  }
  const length = Math.min(LONGEST_MS, (range.to - range.from) * 2);
  const to = Math.min(now, (range.from + range.to + length) / 2);
  return { kind: "span", from: Math.round(to - length), to: Math.round(to) };
}

/** Half a length to the left or right; once it reaches now, it moves with the time again if it is a preset. */
export function panned(range: Range, direction: -1 | 1, now: number): Range {
  const { from, to } = extentOf(range, now);
  if (range.kind === "last" && direction > 0) return range;
  const shift = (direction * (to - from)) / 2;
  // While one looked, now has moved on: close to it is there.
  if (direction < 0 || to + shift < now - (to - from) / 4) {
    return { kind: "span", from: Math.round(from + shift), to: Math.round(to + shift) };
  }
  const length = to - from;
  const preset = PRESETS.find(({ ms }) => Math.abs(ms - length) < SECOND);
  if (preset) return { kind: "last", ms: preset.ms };
  return { kind: "span", from: Math.round(now - length), to: Math.round(now) };
}

/** How many points to ask for: in five minutes every second, otherwise what a chart can show. */
export function pointsFor(length: number): number {
  return length <= 6 * MINUTE ? 400 : 300;
}

function moment(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}
