/** Jobs in words. */

import { longSpan, moment, span } from "../format/time";
import { plainNumber } from "../format/units";
import type { AttemptOutcome, JobStatus, JobSummary, Progress } from "../wire/jobs";

export const STATUS_NAMES: Readonly<Record<JobStatus, string>> = {
  running: "Running",
  failed: "Failed",
  pending: "Pending",
  waiting: "Waiting",
  succeeded: "Succeeded",
  cancelled: "Cancelled",
};

export const OUTCOME_NAMES: Readonly<Record<AttemptOutcome, string>> = {
  succeeded: "succeeded",
  failed: "failed",
  crashed: "crashed",
  timed_out: "ran out of time",
  lost: "lost with its worker",
  yielded: "given back",
  unstarted: "never started",
  cancelled: "cancelled",
};

export function isFinished(status: JobStatus): boolean {
  return status === "succeeded" || status === "failed" || status === "cancelled";
}

export function nameOf(job: Pick<JobSummary, "name" | "type" | "id">): string {
  return job.name ?? `${job.type} ${shortId(job.id)}`;
}

export function signed(priority: number): string {
  return String(priority).replace("-", "−");
}

/** Ids begin with the time, so that their ends tell them apart. */
export function shortId(id: string): string {
  return id.slice(-8);
}

/** What happens to a job, and since when. `now` is the collector's. */
export function timeInWords(job: JobSummary, now: number): readonly [string, string] {
  const { status, created_at, claimed_at, finished_at, rank, priority } = job;
  if (status === "running") {
    const since = claimed_at ?? created_at;
    return [`for ${span(now - since)}`, `since ${moment(since, now)}`];
  }
  const whole = wholeTime(job);
  if (finished_at !== null && whole !== null) return [moment(finished_at, now), `${whole} in all`];
  // One that was put off or tried again waits since its time came.
  const since = status === "pending" && rank !== null ? rank + priority * A_PRIORITY_MS : created_at;
  return [`waits ${span(now - since)}`, `since ${moment(since, now)}`];
}

/** What a step of its priority is worth to a job in the queue. */
const A_PRIORITY_MS = 60_000;

/** From submit to end, whatever a job waited for meanwhile; null: it has not ended. */
export function wholeTime({
  created_at,
  finished_at,
}: Pick<JobSummary, "created_at" | "finished_at">): string | null {
  return finished_at === null ? null : duration(finished_at - created_at);
}

/** The collector tells how long a job is put off at the moment it is asked; time goes on. */
export function whyItWaits(job: JobSummary, now: number): string | null {
  const { status, available_at, waits_because: why } = job;
  if (status !== "waiting" || available_at === null) return why;
  return why?.replace(/ in \d+ (s|min|h)\.$/, ` in ${longSpan(available_at - now)}.`) ?? null;
}

/** How long something took that may have taken no time: 320 ms, 4.2 s, 3 min. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return span(ms);
}

/** What is told of the search beside how far it is. */
export function progressInWords({ message, objective, bound, gap }: Progress): string {
  return [
    message,
    objective !== null && `objective ${plainNumber(objective)}`,
    gap !== null ? `gap ${share(gap)}` : bound !== null && `bound ${plainNumber(bound)}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

/** A share of 1 in percent, with a digit more where it is small. */
export function share(value: number): string {
  const pct = value * 100;
  return `${pct === 0 || pct >= 9.95 ? pct.toFixed(0) : pct.toFixed(pct < 0.095 ? 2 : 1)} %`;
}

export function gapOf(objective: number, bound: number | null): number | null {
  if (bound === null) return null;
  if (objective === bound) return 0;
  const most = Math.max(Math.abs(objective), Math.abs(bound));
  return Math.abs(objective - bound) / most;
}
