/** What may be done with a job: to cancel it, or to try it again. */

import { cancelJob, retryJob } from "../../jobs/api";
import { isFinished, nameOf } from "../../jobs/words";
import { mayChangeJobs } from "../../session";
import { useAction } from "../../ui/action";
import type { JobSummary } from "../../wire/jobs";
import { Revoke } from "../access/revoke";

interface JobActionsProps {
  readonly job: Pick<JobSummary, "id" | "name" | "type" | "status" | "cancel_requested">;
  /** Told when the collector has done it: the stream tells too, a little later. */
  readonly onDone?: () => void;
  readonly tabIndex?: 0 | -1;
}

export function JobActions({ job, onDone = () => undefined, tabIndex = 0 }: JobActionsProps) {
  if (!mayChangeJobs.value) return null;
  if (!isFinished(job.status)) {
    if (job.cancel_requested) return <span class="hint">stopping…</span>;
    return (
      <span class="job-action" data-key="x">
        <Revoke
          word="Cancel"
          what={nameOf(job)}
          revoke={async () => {
            await cancelJob(job.id);
          }}
          onDone={onDone}
          tabIndex={tabIndex}
        />
      </span>
    );
  }
  if (job.status === "succeeded") return null;
  return <Retry job={job} onDone={onDone} tabIndex={tabIndex} />;
}

function Retry({ job, onDone, tabIndex }: Required<JobActionsProps>) {
  const { busy, failure, run } = useAction();
  return (
    <span class="job-action" data-key="r">
      <button
        type="button"
        class="button button-small"
        aria-label={`Try ${nameOf(job)} again`}
        title={failure}
        disabled={busy}
        tabIndex={tabIndex}
        onClick={() => {
          run(async () => {
            await retryJob(job.id);
            onDone();
          });
        }}
      >
        Retry
      </button>
      {failure && (
        <span class="failure" role="alert">
          {failure}
        </span>
      )}
    </span>
  );
}

/** Presses the button of the item in focus that this key is for. */
export function pressAction(key: string): boolean {
  const item = document.activeElement?.closest("[data-item], [data-job-page]");
  const button = item?.querySelector<HTMLButtonElement>(`[data-key="${CSS.escape(key)}"] button`);
  if (!button) return false;
  button.click();
  return true;
}
