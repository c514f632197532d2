/** Every time that a worker had the job. */

import { now } from "../../clock";
import { exactMoment, moment } from "../../format/time";
import { MOST_KEPT, numbered, type NumberedAttempt } from "../../jobs/attempts";
import { duration, OUTCOME_NAMES } from "../../jobs/words";
import { Untrusted } from "../../ui/untrusted";
import type { AttemptOutcome, Job } from "../../wire/jobs";
import { useFirstOnes } from "../access/first-ones";
import { MachineLink } from "../jobs/machine-link";

const BAD: readonly (AttemptOutcome | null)[] = ["failed", "crashed", "timed_out", "lost"];

export function Attempts({ job }: { readonly job: Job }) {
  const [shown, more] = useFirstOnes([...numbered(job.attempts)].reverse());
  if (job.attempts.length === 0) return null;
  return (
    <section class="section" aria-label="Attempts">
      <h2>Attempts</h2>
      <div class="panel attempts">
        {shown.map((one, index) => (
          <AttemptEntry
            key={`${one.attempt.worker_id} ${one.attempt.started_at} ${one.place}`}
            known={one}
            isOpen={index === 0 && BAD.includes(one.attempt.outcome)}
          />
        ))}
        {more}
        {job.attempts.length >= MOST_KEPT && (
          <p class="hint list-more">Older attempts than these {MOST_KEPT} are not kept.</p>
        )}
      </div>
    </section>
  );
}

interface EntryProps {
  readonly known: NumberedAttempt;
  readonly isOpen: boolean;
}

function AttemptEntry({ known, isOpen }: EntryProps) {
  const { attempt, place, isCharged, isRetry } = known;
  const { node_id, worker_id, started_at, ended_at, outcome, error, log_tail } = attempt;
  return (
    <article class="attempt" aria-label={`Attempt ${place}`}>
      <p class="attempt-head">
        <strong>Attempt {place}</strong>
        <span class={BAD.includes(outcome) ? "attempt-outcome is-bad" : "attempt-outcome"}>
          {outcome === null ? "at work" : OUTCOME_NAMES[outcome]}
        </span>
        {!isCharged && <span class="hint">not charged</span>}
        {isRetry && <span class="hint">the first after a retry</span>}
        <span class="hint" title={exactMoment(started_at)}>
          {moment(started_at, now.value)}, {ended_at === null ? "for " : "took "}
          {duration((ended_at ?? now.value) - started_at)}
        </span>
        <span class="hint">
          {"on "}
          <MachineLink id={node_id} worker={worker_id} />
        </span>
      </p>
      {error && (
        <p class="attempt-error">
          <code>{error.code}</code> <Untrusted text={error.message} />
        </p>
      )}
      {log_tail.trim() !== "" && (
        <details open={isOpen} onToggle={showEnd}>
          <summary>The end of its log</summary>
          <pre class="log" tabIndex={0} aria-label={`The end of the log of attempt ${place}`}>
            <code>{log_tail}</code>
          </pre>
        </details>
      )}
    </article>
  );
}

/** What a log ends with is what one looks for. */
function showEnd({ currentTarget }: { readonly currentTarget: HTMLElement }): void {
  const log = currentTarget.querySelector("pre");
  if (log) log.scrollTop = log.scrollHeight;
}
