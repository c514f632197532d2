/** A job's status has a shape of its own, so that it is never told by colour alone. */

import type { JSX } from "preact";
import type { JobStatus } from "../../wire/jobs";

const SHAPES: Readonly<Record<JobStatus, JSX.Element>> = {
  running: <path d="M4.5 2.5v11l9-5.5z" fill="currentColor" stroke="none" />,
  failed: <path d="m4 4 8 8m0-8-8 8" stroke-width="2.6" />,
  pending: <circle cx="8" cy="8" r="4.6" stroke-width="2" />,
  waiting: <path d="M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM8 5v3.2l2 1.2" stroke-width="1.6" />,
  succeeded: <path d="m3 8.6 3.4 3.4L13 4.6" stroke-width="2.6" />,
  cancelled: <path d="M3 8h10" stroke-width="2.6" />,
};

export function JobGlyph({ status }: { readonly status: JobStatus }) {
  return (
    <svg
      class={`glyph job-${status}`}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {SHAPES[status]}
    </svg>
  );
}
