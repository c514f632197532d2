/** One job: how it is, what it was given, what came of it, and how it got there. */

import { useCallback } from "preact/hooks";
import { now } from "../../clock";
import { exactMoment } from "../../format/time";
import { bestOf } from "../../jobs/search";
import { gapOf, nameOf, share, timeInWords, whyItWaits, wholeTime } from "../../jobs/words";
import { useKeys } from "../../keys";
import { goToJobs } from "../../location";
import { JOBS } from "../../route";
import { seesJobsAlone } from "../../session";
import "../../styles/job.css";
import "../../styles/jobs.css";
import { plainNumber, plural } from "../../format/units";
import { Icon } from "../../ui/icons";
import { useTitle } from "../../ui/title";
import { Unloaded } from "../../ui/unloaded";
import { Untrusted } from "../../ui/untrusted";
import type { Job } from "../../wire/jobs";
import { JobActions, pressAction } from "../jobs/actions";
import { JobGlyph } from "../jobs/glyph";
import { ProgressBar, statusWord } from "../jobs/job-row";
import { JobSkeletons } from "../jobs/late-jobs";
import { MachineLink } from "../jobs/machine-link";
import { Attempts } from "./attempts";
import { JobFacts } from "./facts";
import { LateSearchChart } from "./late-parts";
import { Drawn, fileName, Payload, ResultDocument, useResult } from "./documents";
import { useJob } from "./use-job";

export default function JobView({ id }: { readonly id: string }) {
  const known = useJob(id);
  const { job } = known;
  const result = useResult(job);
  useTitle(job ? nameOf(job) : "Job");
  const onKey = useCallback(
    (key: string) => (key === "r" || key === "x") && pressOnPage(key),
    [],
  );
  useKeys(onKey);
  if (known.isMissing) return <NoSuchJob id={id} />;
  if (!job) {
    return known.failure ? (
      <Unloaded
        what="The job"
        reason={known.failure}
        onRetry={() => {
          known.reload();
        }}
      />
    ) : (
      <JobSkeletons />
    );
  }
  return (
    <article class={`job is-job-${job.status}`} data-job-page={job.id} data-status={job.status}>
      <JobHead
        job={job}
        onDone={() => {
          known.reload();
        }}
      />
      <State job={job} />
      {job.status === "succeeded" && <Drawn result={result} name={fileName(job, "plan")} />}
      {job.incumbents.length > 0 && <LateSearchChart job={job} />}
      {job.status === "succeeded" && <ResultDocument job={job} result={result} />}
      <Attempts job={job} />
      <Payload job={job} />
      <JobFacts job={job} />
    </article>
  );
}

function pressOnPage(key: string): boolean {
  if (pressAction(key)) return true;
  const button = document.querySelector<HTMLButtonElement>(
    `[data-job-page] .job-head [data-key="${key}"] button`,
  );
  button?.click();
  return button !== null;
}

interface HeadProps {
  readonly job: Job;
  readonly onDone: () => void;
}

function JobHead({ job, onDone }: HeadProps) {
  const [time, more] = timeInWords(job, now.value);
  const whole = wholeTime(job);
  return (
    <header class="node-head job-head">
      <nav class="node-steps" aria-label="Jobs">
        <a
          class="button-icon"
          href={JOBS}
          aria-label="Back to the jobs"
          title="Back to the jobs (Esc)"
          onClick={(event) => {
            event.preventDefault();
            goToJobs();
          }}
        >
          <Icon name="up" />
        </a>
      </nav>
      <div class="node-name">
        <h1>
          <Untrusted text={nameOf(job)} />
        </h1>
        <p class={`node-status job-${job.status}`} role="status">
          <JobGlyph status={job.status} /> <strong>{statusWord(job)}</strong>
          <span class="node-presence">{`${time}, ${whole === null ? more : `${whole} from submit to end`}`}</span>
        </p>
      </div>
      <p class="node-words">
        <Untrusted text={job.type} />
        {job.submitted_by && (
          <>
            {" · by "}
            <Untrusted text={job.submitted_by} />
          </>
        )}
        {` · submitted ${exactMoment(job.created_at).slice(0, -3)}`}
      </p>
      <div class="node-actions">
        <JobActions job={job} onDone={onDone} />
      </div>
    </header>
  );
}

/** What is to be said first: how far it is, why it waits, what went wrong. */
function State({ job }: { readonly job: Job }) {
  const { status, error } = job;
  if (status === "running") return <Working job={job} />;
  if (job.waits_because !== null) {
    return (
      <p class="notice">
        <Untrusted text={whyItWaits(job, now.value) ?? ""} />
      </p>
    );
  }
  if (status === "failed" && error) {
    return (
      <div class="notice notice-bad job-error">
        <p>
          <strong>
            <Untrusted text={error.message || error.code} />
          </strong>
        </p>
        <p class="hint">
          <code>{error.code}</code>
          {error.retryable
            ? ` after ${job.attempt_count} of ${plural(job.max_attempts, "attempt")}`
            : ": it would fail again in the same way"}
        </p>
      </div>
    );
  }
  return null;
}

function Working({ job }: { readonly job: Job }) {
  const { progress, node_id } = job;
  const message = progress?.message ?? "";
  // An attempt that starts anew may be behind what the job has reached.
  const { objective, bound } = bestOf(job);
  const proved = objective === null ? null : gapOf(objective, bound);
  const gap = proved ?? progress?.gap ?? null;
  const figures = [
    ["Objective", number(objective)],
    ["Bound", number(bound)],
    ["Gap", gap === null ? "" : share(gap)],
  ].filter(([, figure]) => figure);
  return (
    <section class="panel job-working" aria-label="Progress">
      <ProgressBar fraction={progress?.fraction ?? null} />
      <div class="job-working-words">
        <p>
          <Untrusted text={message === "" ? "At work" : message} />
          {node_id !== null && (
            <span class="hint">
              {" on "}
              <MachineLink id={node_id} worker={job.claimed_by} />
            </span>
          )}
        </p>
        {figures.length > 0 && (
          <dl class="job-figures">
            {figures.map(([label, figure]) => (
              <div key={label}>
                <dt>{label}</dt>
                <dd>{figure}</dd>
              </div>
            ))}
          </dl>
        )}
      </div>
    </section>
  );
}

function number(value: number | null): string {
  return value === null ? "" : plainNumber(value);
}

function NoSuchJob({ id }: { readonly id: string }) {
  return (
    <section class="empty">
      <h1>
        There is no job <bdi>{id.slice(0, 64)}</bdi>
      </h1>
      <p>
        {seesJobsAlone.value
          ? "It was deleted some time after it ended, or it is somebody else’s: this sign-in sees its own jobs alone."
          : "It was deleted some time after it ended, or its address is not quite right."}
      </p>
      <a class="button" href={JOBS}>
        Go to the jobs
      </a>
    </section>
  );
}
