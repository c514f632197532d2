/** A job's attempts, numbered as they came: what the collector counts begins anew with each retry. */

import type { Attempt, AttemptOutcome } from "../wire/jobs";

export interface NumberedAttempt {
  readonly attempt: Attempt;
  /** From 1, whether it was charged or not. */
  readonly place: number;
  /** Whether it counts towards the most attempts of the job. */
  readonly isCharged: boolean;
  /** The first one since somebody had the job tried again: what is charged began anew. */
  readonly isRetry: boolean;
}

/** MOST_ATTEMPTS_KEPT of the collector. */
export const MOST_KEPT = 100;

const UNCHARGED: readonly (AttemptOutcome | null)[] = ["yielded", "unstarted", "cancelled"];

/** @param attempts oldest first */
export function numbered(attempts: readonly Attempt[]): readonly NumberedAttempt[] {
  return attempts.map((attempt, index) => {
    const before = attempts[index - 1];
    return {
      attempt,
      place: index + 1,
      isCharged: !UNCHARGED.includes(attempt.outcome),
      isRetry: before !== undefined && isRetried(before, attempt),
    };
  });
}

/** The next attempt after one that was not charged has the same number. */
function isRetried(before: Attempt, after: Attempt): boolean {
  if (before.outcome === "cancelled") return true;
  return after.number < before.number + (UNCHARGED.includes(before.outcome) ? 0 : 1);
}

/** How long workers had a job, all attempts together; null: not all of them are known, or over. */
export function workedMs(attempts: readonly Attempt[]): number | null {
  if (attempts.length === 0 || attempts.length >= MOST_KEPT) return null;
  let sum = 0;
  for (const { started_at, ended_at } of attempts) {
    if (ended_at === null) return null;
    sum += ended_at - started_at;
  }
  return sum;
}
