/** What seldom changes about a job. */

import { now } from "../../clock";
import { exactMoment, longSpan } from "../../format/time";
import { workedMs } from "../../jobs/attempts";
import { duration, isFinished, signed, wholeTime } from "../../jobs/words";
import { Untrusted } from "../../ui/untrusted";
import type { Job } from "../../wire/jobs";

export function JobFacts({ job }: { readonly job: Job }) {
  const needs = needsInWords(job.requires);
  const worked = isFinished(job.status) ? workedMs(job.attempts) : null;
  const rows: readonly (readonly [string, string])[] = [
    ["Id", job.id],
    ["Type", job.type],
    ["Uses mostly", job.resource_class],
    ["Priority", job.priority === 0 ? "" : signed(job.priority)],
    ["Needs", needs],
    ["Submitted", exactMoment(job.created_at)],
    ["Submitted with", job.submitted_by],
    [job.attempts.length > 1 ? "Started last" : "Started", job.claimed_at === null ? "" : exactMoment(job.claimed_at)],
    ["Ended", job.finished_at === null ? "" : exactMoment(job.finished_at)],
    ["From submit to end", wholeTime(job) ?? ""],
    ["At work, of that", worked === null ? "" : duration(worked)],
    ["Attempts charged", `${job.attempt_count} of ${job.max_attempts}`],
    ["Not before", isFinished(job.status) ? "" : laterThan(job.available_at, job.created_at)],
    ["Of no use after", job.deadline === null ? "" : exactMoment(job.deadline)],
    ["At most", seconds(job.wall_limit_s)],
    ["At most without progress", seconds(job.no_progress_limit_s)],
    ["Key", job.dedup_key ?? ""],
    ["Worker", job.claimed_by ?? ""],
  ];
  return (
    <section class="section" aria-label="Facts">
      <h2>Facts</h2>
      <dl class="panel facts">
        {rows
          .filter(([, fact]) => fact)
          .map(([label, fact]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>
                <Untrusted text={fact} />
              </dd>
            </div>
          ))}
      </dl>
    </section>
  );
}

function laterThan(at: number | null, created: number): string {
  return at === null || at <= created || at <= now.peek() ? "" : exactMoment(at);
}

function seconds(value: number | null): string {
  return value === null ? "" : longSpan(value * 1000);
}

function needsInWords(requires: unknown): string {
  if (typeof requires !== "object" || requires === null) return "";
  return Object.entries(requires)
    .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0))
    .map(([key, value]) => `${key.replaceAll("_", " ")} ${words(value)}`)
    .join(", ");
}

function words(value: unknown): string {
  if (typeof value === "number") return value.toLocaleString("en-US");
  return Array.isArray(value) ? value.join(" ") : String(value);
}
