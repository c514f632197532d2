/** A search as columns for a chart: what was the best known, and what was proved, from its start. */

import type { Job } from "../wire/jobs";

export interface Search {
  /** ms since the job was begun, or since the first solution where clocks differ. */
  readonly at: readonly number[];
  readonly objective: readonly (number | null)[];
  readonly bound: readonly (number | null)[];
  readonly hasBound: boolean;
  /** How many solutions were found. */
  readonly found: number;
  readonly length: number;
  /** The figures differ so much that only their magnitudes can be seen together. */
  readonly isLog: boolean;
}

const MAGNITUDES = 50;

/** @param until when it ended, or now */
export function searchOf(job: Pick<Job, "incumbents" | "attempts" | "progress">, until: number): Search {
  const { incumbents, attempts, progress } = job;
  const first = incumbents[0]?.at ?? until;
  const begun = attempts[0]?.started_at ?? first;
  // Incumbents bear the worker's clock, all else the collector's.
  const isOneClock = first >= begun && (incumbents.at(-1)?.at ?? first) <= until + 1000;
  const start = isOneClock ? begun : first;
  const at: number[] = [];
  const objective: (number | null)[] = [];
  const bound: (number | null)[] = [];
  for (const incumbent of incumbents) {
    at.push(incumbent.at - start);
    objective.push(incumbent.objective);
    bound.push(incumbent.bound);
  }
  // Up to its end, what was last found holds; its bound may have risen since.
  const end = isOneClock ? Math.max(until - start, at.at(-1) ?? 0) : (at.at(-1) ?? 0);
  if (incumbents.length > 0) {
    at.push(end);
    const last = incumbents.at(-1);
    const isSame = progress?.objective === last?.objective;
    objective.push(last?.objective ?? null);
    bound.push((isSame ? progress?.bound : null) ?? last?.bound ?? null);
  }
  const figures = [...objective, ...bound].filter((one) => one !== null);
  const [low, high] = [Math.min(...figures), Math.max(...figures)];
  return {
    at,
    objective,
    bound,
    hasBound: bound.some((one) => one !== null),
    found: incumbents.length,
    length: Math.max(end, 1),
    isLog: low > 0 && high / low > MAGNITUDES,
  };
}
