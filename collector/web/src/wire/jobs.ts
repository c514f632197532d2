/**
 * The messages of shared/forge_shared/job_messages.py that the page speaks, with a reader for each
 * one it receives. Times are Unix milliseconds.
 */

import {
  anything,
  boolean,
  defaulting,
  exact,
  list,
  logText,
  mapping,
  nullable,
  number,
  oneOf,
  record,
  text,
  type Reader,
} from "./read";

export const JOB_STATUSES = [
  "running",
  "failed",
  "pending",
  "waiting",
  "succeeded",
  "cancelled",
] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

const readStatus = oneOf(...JOB_STATUSES);

export type AttemptOutcome =
  | "succeeded"
  | "failed"
  | "crashed"
  | "timed_out"
  | "lost"
  | "yielded"
  | "unstarted"
  | "cancelled";

export interface JobError {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
}

const readError = record<JobError>({
  code: text,
  message: defaulting(text, ""),
  retryable: defaulting(boolean, true),
});

/** How far a job is; `fraction` and `gap` are shares. */
export interface Progress {
  readonly fraction: number | null;
  readonly message: string;
  readonly objective: number | null;
  readonly bound: number | null;
  readonly gap: number | null;
}

const optionalNumber = defaulting<number | null>(nullable(number), null);

const readProgress = record<Progress>({
  fraction: optionalNumber,
  message: defaulting(text, ""),
  objective: optionalNumber,
  bound: optionalNumber,
  gap: optionalNumber,
});

/** A job as lists show it. */
export interface JobSummary {
  readonly id: string;
  readonly type: string;
  readonly status: JobStatus;
  readonly created_at: number;
  readonly attempt_count: number;
  readonly max_attempts: number;
  readonly resource_class: string;
  readonly priority: number;
  readonly name: string | null;
  /** The name of the token it was submitted with. */
  readonly submitted_by: string;
  readonly claimed_by: string | null;
  readonly node_id: string | null;
  readonly claimed_at: number | null;
  readonly available_at: number | null;
  readonly finished_at: number | null;
  readonly cancel_requested: boolean;
  readonly progress: Progress | null;
  readonly error: JobError | null;
  /** Why it is not running yet, in a sentence. */
  readonly waits_because: string | null;
  /** Of one that is pending: the least is the next. */
  readonly rank: number | null;
}

const optionalText = defaulting<string | null>(nullable(text), null);
const optionalId = defaulting<string | null>(nullable(exact), null);

const SUMMARY = {
  id: exact,
  type: text,
  status: readStatus,
  created_at: number,
  attempt_count: number,
  max_attempts: number,
  resource_class: text,
  priority: defaulting(number, 0),
  name: optionalText,
  submitted_by: defaulting(text, ""),
  claimed_by: optionalId,
  node_id: optionalId,
  claimed_at: optionalNumber,
  available_at: optionalNumber,
  finished_at: optionalNumber,
  cancel_requested: defaulting(boolean, false),
  progress: defaulting<Progress | null>(nullable(readProgress), null),
  error: defaulting<JobError | null>(nullable(readError), null),
  waits_because: optionalText,
  rank: optionalNumber,
} as const;

const readSummary = record<JobSummary>(SUMMARY);

export type JobCounts = ReadonlyMap<string, number>;

/** A page of jobs, the newest first, or the next one. */
export interface Jobs {
  readonly jobs: readonly JobSummary[];
  readonly counts: JobCounts;
  /** What to ask for as `before` to have the next page. */
  readonly next: string | null;
}

export const readJobs: Reader<Jobs> = record<Jobs>({
  jobs: list(readSummary),
  counts: mapping(number),
  next: optionalId,
});

/** One event of the stream of jobs. */
export interface JobsFrame {
  /** The collector's clock. */
  readonly now: number;
  readonly counts: JobCounts;
  readonly jobs: readonly JobSummary[];
  readonly gone: readonly string[];
  /** More changed than is told here. */
  readonly reload: boolean;
}

export const readJobsFrame: Reader<JobsFrame> = record<JobsFrame>({
  now: number,
  counts: mapping(number),
  jobs: list(readSummary),
  gone: defaulting(list(exact), []),
  reload: defaulting(boolean, false),
});

/** Whole when `received` equals `size`. */
export interface JobFile {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
  readonly received: number;
}

export const readJobFile: Reader<JobFile> = record<JobFile>({
  name: exact,
  size: number,
  sha256: exact,
  received: number,
});

/** One lease of a job, from claim to end. */
export interface Attempt {
  readonly number: number;
  readonly worker_id: string;
  readonly node_id: string;
  readonly started_at: number;
  readonly ended_at: number | null;
  readonly outcome: AttemptOutcome | null;
  readonly error: JobError | null;
  readonly log_tail: string;
}

/** The best solution known at a time of the worker's clock, and what is proved of the best. */
export interface Incumbent {
  readonly at: number;
  readonly objective: number;
  readonly bound: number | null;
}

export interface Job extends JobSummary {
  /** JSON; null where a file stands in its place, and in the stream. */
  readonly payload: unknown;
  readonly result: unknown;
  readonly requires: unknown;
  readonly deadline: number | null;
  readonly wall_limit_s: number | null;
  readonly no_progress_limit_s: number | null;
  readonly dedup_key: string | null;
  readonly files: readonly JobFile[];
  /** Oldest first, both. */
  readonly attempts: readonly Attempt[];
  readonly incumbents: readonly Incumbent[];
}

export const readJob: Reader<Job> = record<Job>({
  ...SUMMARY,
  payload: anything,
  result: anything,
  requires: anything,
  deadline: optionalNumber,
  wall_limit_s: optionalNumber,
  no_progress_limit_s: optionalNumber,
  dedup_key: optionalText,
  files: defaulting(list(readJobFile), []),
  attempts: defaulting(
    list(
      record<Attempt>({
        number,
        worker_id: exact,
        node_id: exact,
        started_at: number,
        ended_at: optionalNumber,
        outcome: defaulting<AttemptOutcome | null>(
          nullable(
            oneOf(
              "succeeded",
              "failed",
              "crashed",
              "timed_out",
              "lost",
              "yielded",
              "unstarted",
              "cancelled",
            ),
          ),
          null,
        ),
        error: defaulting<JobError | null>(nullable(readError), null),
        log_tail: defaulting(logText, ""),
      }),
    ),
    [],
  ),
  incumbents: defaulting(
    list(record<Incumbent>({ at: number, objective: number, bound: optionalNumber })),
    [],
  ),
});

/** What is sent to have a job done. The payload's JSON is written beside it, as it is. */
export interface JobSubmission {
  readonly type: string;
  readonly id: string;
  readonly name?: string;
  readonly priority?: number;
  /** In place of a payload: what will be uploaded next. */
  readonly payload_file?: { readonly size: number; readonly sha256: string };
}

export interface SubmittedJob {
  readonly id: string;
  readonly status: JobStatus;
}

export const readSubmittedJob: Reader<SubmittedJob> = record<SubmittedJob>({
  id: exact,
  status: readStatus,
});

// --- workers ----------------------------------------------------------------------------------

export type WorkerState = "ready" | "paused" | "draining";

export interface OfferedType {
  readonly name: string;
  readonly version: string;
  readonly title: string;
}

export interface Worker {
  readonly id: string;
  readonly node_id: string;
  readonly state: WorkerState;
  readonly reason: string;
  readonly last_seen: number;
  /** Three heartbeats of it are missing. */
  readonly silent: boolean;
  readonly types: readonly OfferedType[];
  /** Its limits by resource class. */
  readonly slots: ReadonlyMap<string, number>;
  /** The ids of the jobs it holds. */
  readonly running: readonly string[];
}

/** What is known of a job type. */
export interface JobType {
  readonly name: string;
  readonly title: string;
  readonly resource_class: string;
  readonly versions: readonly string[];
  readonly workers: number;
  /** JSON Schema; null: its plugin has none. */
  readonly payload_schema: unknown;
}

export interface Workers {
  readonly workers: readonly Worker[];
  readonly types: readonly JobType[];
}

export const readWorkers: Reader<Workers> = record<Workers>({
  workers: list(
    record<Worker>({
      id: exact,
      node_id: exact,
      state: oneOf("ready", "paused", "draining"),
      reason: defaulting(text, ""),
      last_seen: number,
      silent: defaulting(boolean, false),
      types: defaulting(
        list(
          record<OfferedType>({
            name: text,
            version: defaulting(text, ""),
            title: defaulting(text, ""),
          }),
        ),
        [],
      ),
      slots: defaulting(mapping(number), new Map<string, number>()),
      running: defaulting(list(exact), []),
    }),
  ),
  types: list(
    record<JobType>({
      name: text,
      title: defaulting(text, ""),
      resource_class: defaulting(text, "cpu"),
      versions: defaulting(list(text), []),
      workers: defaulting(number, 0),
      payload_schema: defaulting(anything, null),
    }),
  ),
});
