/** What a machine works on, while it works on anything. */

import { useCallback, useEffect } from "preact/hooks";
import { jobs } from "../../jobs/api";
import { nameOf, share } from "../../jobs/words";
import { plural } from "../../format/units";
import type { Machine } from "../../fleet/state";
import { jobAddress, jobsOfNode } from "../../route";
import "../../styles/node-jobs.css";
import { useLoaded } from "../../ui/load";
import { Untrusted } from "../../ui/untrusted";
import type { JobSummary } from "../../wire/jobs";

const SHOWN = 5;
const EVERY_MS = 5000;

export default function NodeJobs({ machine: { id, jobs: running } }: { readonly machine: Machine }) {
  const ask = useCallback(() => jobs({ status: "running", node: id, limit: SHOWN }), [id]);
  const [loaded, reload] = useLoaded(ask);
  useEffect(() => {
    reload();
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") reload();
    }, EVERY_MS);
    return () => {
      clearInterval(timer);
    };
  }, [running, reload]);
  const found = loaded.state === "ready" ? loaded.value.jobs : [];
  if (found.length === 0) return null;
  return (
    <section class="section" aria-label="Jobs">
      <h2>
        <a href={jobsOfNode(id)}>{plural(running, "job")} running</a>
      </h2>
      <ul class="panel node-jobs">
        {found.map((job) => (
          <li key={job.id}>
            <a href={jobAddress(job.id)}>
              <Untrusted text={nameOf(job)} />
            </a>
            <span class="hint">
              <Untrusted text={job.progress?.message ?? ""} />
            </span>
            <span>{doneOf(job)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function doneOf({ progress }: JobSummary): string {
  const fraction = progress?.fraction ?? null;
  return fraction === null ? "" : share(fraction);
}
