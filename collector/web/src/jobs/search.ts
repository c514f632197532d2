/** A search as columns for a chart: the best that was known, and what was proved, from its start. */

import type { Incumbent, Job } from "../wire/jobs";

export interface Search {
  /** ms since the job was begun, or since the first solution where clocks differ. */
  readonly at: readonly number[];
  /** The best of the job so far, whichever attempt found it. */
  readonly objective: readonly (number | null)[];
  readonly bound: readonly (number | null)[];
  readonly hasBound: boolean;
  /** How many solutions were found; where the bound alone moved, it is none. */
  readonly found: number;
  readonly length: number;
  /** When further attempts were begun. */
  readonly starts: readonly number[];
  /** The objectives differ so much that only their magnitudes can be seen together. */
  readonly isLog: boolean;
}

/** The best solution known, and what is proved of the best there can be. */
export interface Best {
  readonly objective: number | null;
  readonly bound: number | null;
}

const MAGNITUDES = 50;

/** @param until when it ended, or now */
export function searchOf(
  job: Pick<Job, "incumbents" | "attempts" | "progress">,
  until: number,
): Search {
  const { incumbents, attempts, progress } = job;
  const first = incumbents[0]?.at ?? until;
  const begun = attempts[0]?.started_at ?? first;
  // Incumbents bear the worker's clock, all else the collector's.
  const isOneClock = first >= begun && (incumbents.at(-1)?.at ?? first) <= until + 1000;
  const start = isOneClock ? begun : first;
  const at: number[] = [];
  const objective: (number | null)[] = [];
  const bound: (number | null)[] = [];
  const better = betterOf(incumbents);
  let best: Best = { objective: null, bound: null };
  const note = (moment: number, found: Best) => {
    best = better(best, found);
    at.push(moment);
    objective.push(best.objective);
    bound.push(best.bound);
  };
  for (const incumbent of incumbents) note(incumbent.at - start, incumbent);
  // Up to its end, what was last found holds; its bound may have risen since.
  const end = isOneClock ? Math.max(until - start, at.at(-1) ?? 0) : (at.at(-1) ?? 0);
  if (incumbents.length > 0) note(end, progress ?? best);
  const figures = objective.filter((one) => one !== null);
  const [low, high] = [Math.min(...figures), Math.max(...figures)];
  return {
    at,
    objective,
    bound,
    hasBound: bound.some((one) => one !== null),
    found: new Set(incumbents.map((one) => one.objective)).size,
    length: Math.max(end, 1),
    starts: isOneClock ? attempts.slice(1).map(({ started_at }) => started_at - start) : [],
    isLog: low > 0 && high / low > MAGNITUDES,
  };
}

/** What is known of a job by now, of all attempts: one that starts anew may be behind for a while. */
export function bestOf({ incumbents, progress }: Pick<Job, "incumbents" | "progress">): Best {
  const better = betterOf(incumbents);
  const known: Best = progress ?? { objective: null, bound: null };
  return incumbents.reduce<Best>(better, known);
}

/** Whether less is better is told by the side on which the bound is, or by where the search went. */
function betterOf(incumbents: readonly Incumbent[]): (a: Best, b: Best) => Best {
  const apart = incumbents.findLast(({ objective, bound }) => (bound ?? objective) !== objective);
  const [one, next] = incumbents;
  const isLess = apart
    ? (apart.bound ?? apart.objective) < apart.objective
    : one === undefined || next === undefined || next.objective <= one.objective;
  const least = either(isLess ? Math.min : Math.max);
  const most = either(isLess ? Math.max : Math.min);
  return (a, b) => ({
    objective: least(a.objective, b.objective),
    bound: most(a.bound, b.bound),
  });
}

function either(choose: (a: number, b: number) => number) {
  return (a: number | null, b: number | null) => (a === null ? b : b === null ? a : choose(a, b));
}

/** How far from the objectives bounds are seen, in the objectives' span or in shares of themselves:
 * any that is near, and the last one unless it is so far that nothing of the rest could be told. */
const NEAR = { spans: 1, share: 0.05 };
const FAR = { spans: 4, share: 0.2 };
const EDGE = 0.08;

/** What an axis is to show of a stretch. Bounds that lie far below, as they begin, are cut off. */
export function rangeOf(
  at: readonly number[],
  objective: readonly (number | null)[],
  bound: readonly (number | null)[],
  { from, to }: { readonly from: number; readonly to: number },
): readonly [low: number, high: number] {
  // What holds at its beginning may have been found long before.
  const first = Math.max(0, at.findLastIndex((moment) => moment <= from));
  const last = Math.max(first, at.findLastIndex((moment) => moment <= to));
  const found = objective.slice(first, last + 1).filter((one) => one !== null);
  if (found.length === 0) return [0, 1];
  const [least, most] = [Math.min(...found), Math.max(...found)];
  const size = Math.max(Math.abs(least), Math.abs(most));
  const within = (value: number, { spans, share }: typeof NEAR) => {
    const room = Math.max(spans * (most - least), share * size);
    return Math.min(Math.max(value, least - room), most + room);
  };
  const bounds = bound.slice(first, last + 1).filter((one) => one !== null);
  const seen = bounds.filter((one) => within(one, NEAR) === one);
  const proved = bounds.slice(-1).map((one) => within(one, FAR));
  const low = Math.min(least, ...seen, ...proved);
  const high = Math.max(most, ...seen, ...proved);
  // What never changes has as much room as what does, for figures that can be told apart.
  const span = high > low ? high - low : Math.abs(high) || 1;
  const edge = Math.max(span * EDGE, Math.abs(high) * 1e-6, 1e-9);
  return [low - edge, high + edge];
}

/** What stands beside an axis. What is too near to the label before to be told from it has none. */
export function labelsOf(ticks: readonly number[], words: (tick: number) => string): string[] {
  const labels = ticks.map(words);
  return labels.map((label, place) => (label === labels[place - 1] ? "" : label));
}
