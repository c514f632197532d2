/** The pages of jobs, which come later than the page. */

import { late } from "../../ui/late";

const WORDS = { what: "The jobs", does: "shows them" };

export const { prepare: prepareJobs, Part: LateJobs } = late(
  () => import("./jobs"),
  WORDS,
  () => <JobSkeletons />,
);

export const { Part: LateJob } = late(
  () => import("../job/job"),
  WORDS,
  () => <JobSkeletons />,
);

export function JobSkeletons() {
  return (
    <div class="jobs" role="status" aria-label="Loading the jobs">
      <div class="toolbar toolbar-skeleton" aria-hidden="true">
        <div class="skeleton" />
      </div>
      <div class="panel job-skeletons skeleton" aria-hidden="true" />
    </div>
  );
}
