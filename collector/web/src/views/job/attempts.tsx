/** Every time that a worker had the job. */

import { now } from "../../clock";
import { exactMoment, moment } from "../../format/time";
import { duration, OUTCOME_NAMES } from "../../jobs/words";
import { nodeAddress } from "../../route";
import { seesJobsAlone } from "../../session";
import { fleet } from "../../stream/client";
import { Untrusted } from "../../ui/untrusted";
import type { Attempt, AttemptOutcome, Job } from "../../wire/jobs";
import { useFirstOnes } from "../access/first-ones";

const BAD: readonly (AttemptOutcome | null)[] = ["failed", "crashed", "timed_out", "lost"];

export function Attempts({ job }: { readonly job: Job }) {
  const [shown, more] = useFirstOnes([...job.attempts].reverse());
  if (job.attempts.length === 0) return null;
  return (
    <section class="section" aria-label="Attempts">
      <h2>Attempts</h2>
      <div class="panel attempts">
        {shown.map((attempt, place) => (
          <AttemptEntry
            key={`${attempt.worker_id} ${attempt.started_at} ${job.attempts.length - place}`}
            attempt={attempt}
            isOpen={place === 0 && BAD.includes(attempt.outcome)}
          />
        ))}
        {more}
      </div>
    </section>
  );
}

interface EntryProps {
  readonly attempt: Attempt;
  readonly isOpen: boolean;
}

function AttemptEntry({ attempt, isOpen }: EntryProps) {
  const { number, node_id, worker_id, started_at, ended_at, outcome, error, log_tail } = attempt;
  const name = fleet.peek()?.get(node_id)?.name ?? node_id;
  return (
    <article class="attempt" aria-label={`Attempt ${number}`}>
      <p class="attempt-head">
        <strong>Attempt {number}</strong>
        <span class={BAD.includes(outcome) ? "attempt-outcome is-bad" : "attempt-outcome"}>
          {outcome === null ? "at work" : OUTCOME_NAMES[outcome]}
        </span>
        <span class="hint" title={exactMoment(started_at)}>
          {moment(started_at, now.value)}, {ended_at === null ? "for " : "took "}
          {duration((ended_at ?? now.value) - started_at)}
        </span>
        <span class="hint">
          {"on "}
          {seesJobsAlone.value ? (
            <Untrusted text={name} title={worker_id} />
          ) : (
            <a href={nodeAddress(node_id)}>
              <Untrusted text={name} title={worker_id} />
            </a>
          )}
        </span>
      </p>
      {error && (
        <p class="attempt-error">
          <code>{error.code}</code> <Untrusted text={error.message} />
        </p>
      )}
      {log_tail.trim() !== "" && (
        <details open={isOpen}>
          <summary>The end of its log</summary>
          <pre class="log" tabIndex={0} aria-label={`The end of the log of attempt ${number}`}>
            <code>{log_tail}</code>
          </pre>
        </details>
      )}
    </article>
  );
}
