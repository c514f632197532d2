/** One job as a row. */

import type { JSX } from "preact";
import { memo } from "preact/compat";
import { now } from "../../clock";
import {
  nameOf,
  progressInWords,
  share,
  shortId,
  signed,
  STATUS_NAMES,
  timeInWords,
  whyItWaits,
} from "../../jobs/words";
import { exactMoment } from "../../format/time";
import { jobAddress } from "../../route";
import { Untrusted } from "../../ui/untrusted";
import type { JobSummary } from "../../wire/jobs";
import { JobActions } from "./actions";
import { JobGlyph } from "./glyph";
import { MachineLink } from "./machine-link";

interface RowProps {
  readonly job: JobSummary;
  readonly index: number;
  readonly tabIndex: 0 | -1;
}

/** Of a row in columns, and of a narrow one that has but two lines to say. */
export const ROW_HEIGHT = 54;
export const NARROW_ROW_HEIGHT = 96;

export const JobRow = memo(function JobRow({ job, index, tabIndex }: RowProps) {
  const { status, node_id } = job;
  const detail = detailOf(job);
  return (
    <div
      class={`job-row is-job-${status}${detail ? " has-detail" : ""}`}
      role="listitem"
      aria-posinset={index + 1}
      data-item={job.id}
      data-job={job.id}
      data-status={status}
    >
      <span class="job-status">
        <JobGlyph status={status} />
        <span class="job-status-word">{statusWord(job)}</span>
      </span>
      <span class="job-name">
        <a class="row-name" href={jobAddress(job.id)} tabIndex={tabIndex} aria-label={described(job)}>
          <Untrusted text={nameOf(job)} />
        </a>
        <small>
          <Untrusted text={beneath(job)} title={job.id} />
        </small>
      </span>
      <span class="job-detail">{detail}</span>
      <span class="job-machine">
        {node_id !== null && (
          <MachineLink id={node_id} worker={job.claimed_by} tabIndex={tabIndex} />
        )}
      </span>
      <Times job={job} />
      <span class="job-actions">
        <JobActions job={job} tabIndex={tabIndex} />
      </span>
    </div>
  );
});

export function statusWord(job: Pick<JobSummary, "status" | "cancel_requested">): string {
  return job.cancel_requested && job.status === "running" ? "Cancelling" : STATUS_NAMES[job.status];
}

function beneath(job: JobSummary): string {
  return [
    job.name === null ? "" : job.type,
    // Where there is little room, it is the end that is cut off.
    job.attempt_count > 1 && `attempt ${job.attempt_count} of ${job.max_attempts}`,
    job.priority !== 0 && `priority ${signed(job.priority)}`,
    job.submitted_by && `by ${job.submitted_by}`,
    job.name === null ? "" : shortId(job.id),
  ]
    .filter(Boolean)
    .join(" · ");
}

/** What there is to know in its status: how far it is, why it waits, what went wrong. */
function detailOf(job: JobSummary): JSX.Element | null {
  const { status, progress, error } = job;
  if (status === "running") {
    return (
      <>
        <ProgressBar fraction={progress?.fraction ?? null} />
        <small>
          <Untrusted text={workInWords(job)} />
        </small>
      </>
    );
  }
  if (job.waits_because !== null) return <Why job={job} />;
  if (status === "failed" && error) {
    return <Words text={error.message || error.code} isBad />;
  }
  // What it said on its way is over.
  if (status === "succeeded" && progress) {
    const words = progressInWords({ ...progress, message: "" });
    return words === "" ? null : <Words text={words} />;
  }
  return null;
}

function workInWords({ progress }: JobSummary): string {
  const words = progress ? progressInWords(progress) : "";
  return words === "" ? "at work" : words;
}

function Words({ text, isBad }: { readonly text: string; readonly isBad?: boolean }) {
  return (
    <span class={isBad ? "job-words is-bad" : "job-words"}>
      <Untrusted text={text} />
    </span>
  );
}

/** As Times, alone in reading the clock. */
function Why({ job }: { readonly job: JobSummary }) {
  return <Words text={whyItWaits(job, now.value) ?? ""} />;
}

/** Without a share it is told that it works, and no more. */
export function ProgressBar({ fraction }: { readonly fraction: number | null }) {
  if (fraction === null) {
    return (
      <span class="progress" aria-hidden="true">
        <span class="bar bar-working">
          <span />
        </span>
      </span>
    );
  }
  const part = Math.min(1, Math.max(0, fraction));
  return (
    <span
      class="progress"
      role="progressbar"
      aria-label="Done"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(part * 100)}
    >
      <span class="bar" aria-hidden="true">
        <span style={{ transform: `scaleX(${part.toFixed(3)})` }} />
      </span>
      <span class="progress-figure">{share(part)}</span>
    </span>
  );
}

/** Alone in reading the clock, so that a second changes these texts and nothing else. */
function Times({ job }: { readonly job: JobSummary }) {
  const [time, more] = timeInWords(job, now.value);
  return (
    <span class="job-times" title={momentsOf(job)}>
      <span>{time}</span>
      <small>{more}</small>
    </span>
  );
}

function momentsOf({ status, created_at, claimed_at, finished_at }: JobSummary): string {
  return [
    `Submitted ${exactMoment(created_at)}`,
    status === "running" && claimed_at !== null && `started ${exactMoment(claimed_at)}`,
    finished_at !== null && `ended ${exactMoment(finished_at)}`,
  ]
    .filter(Boolean)
    .join(", ");
}

/** The whole row in a sentence, for those who hear it. */
function described(job: JobSummary): string {
  const fraction = job.progress?.fraction;
  return [
    `${nameOf(job)}: ${statusWord(job)}`,
    job.status === "running" && typeof fraction === "number" && `${share(fraction)} done`,
    job.waits_because,
    job.status === "failed" && job.error && (job.error.message || job.error.code),
  ]
    .filter(Boolean)
    .join(", ");
}
