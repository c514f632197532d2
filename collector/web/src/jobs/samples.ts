/** Jobs for the tests. */

import type { Job, Jobs, JobsFrame, JobStatus, JobSummary } from "../wire/jobs";

export function summary(id: string, changes: Partial<JobSummary> = {}): JobSummary {
  return {
    id,
    type: "echo",
    status: "pending",
    created_at: 1000,
    attempt_count: 0,
    max_attempts: 3,
    resource_class: "cpu",
    priority: 0,
    name: null,
    submitted_by: "",
    claimed_by: null,
    node_id: null,
    claimed_at: null,
    available_at: null,
    finished_at: null,
    cancel_requested: false,
    progress: null,
    error: null,
    waits_because: null,
    rank: null,
    ...changes,
  };
}

export function job(id: string, changes: Partial<Job> = {}): Job {
  return {
    ...summary(id),
    payload: null,
    result: null,
    requires: {},
    deadline: null,
    wall_limit_s: null,
    no_progress_limit_s: null,
    dedup_key: null,
    files: [],
    attempts: [],
    incumbents: [],
    ...changes,
  };
}

/** Jobs of these ages: the last one is the oldest. */
export function page(
  status: JobStatus,
  ids: readonly string[],
  { newest = 1000, next = null as string | null } = {},
): Jobs {
  return {
    jobs: ids.map((id, place) => summary(id, { status, created_at: newest - place })),
    counts: new Map([[status, ids.length]]),
    next,
  };
}

export function jobsFrame(changes: Partial<JobsFrame> = {}): JobsFrame {
  return { now: 2000, counts: new Map(), jobs: [], gone: [], reload: false, ...changes };
}
