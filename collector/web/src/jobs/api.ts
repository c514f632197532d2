/** The part of the collector's HTTP API that is about jobs. */

import { call, read, send } from "../api";
import {
  readJob,
  readJobFile,
  readJobs,
  readSubmittedJob,
  readWorkers,
  type Job,
  type JobFile,
  type Jobs,
  type JobStatus,
  type JobSubmission,
  type SubmittedJob,
  type Workers,
} from "../wire/jobs";
import { anything } from "../wire/read";

export interface JobsWanted {
  readonly status?: JobStatus;
  /** Of those that are pending: the next ones first. */
  readonly order?: "rank";
  readonly type?: string;
  readonly node?: string;
  readonly q?: string;
  /** Where the page before ended. */
  readonly before?: string;
  readonly limit: number;
}

export function jobs(wanted: JobsWanted): Promise<Jobs> {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(wanted)) if (value !== "") query.set(key, String(value));
  return read(readJobs, call("GET", `/api/jobs?${query.toString()}`));
}

export function job(id: string): Promise<Job> {
  return read(readJob, call("GET", jobPath(id)));
}

export function cancelJob(id: string): Promise<Job> {
  return read(readJob, call("POST", `${jobPath(id)}/cancel`));
}

export function retryJob(id: string): Promise<Job> {
  return read(readJob, call("POST", `${jobPath(id)}/retry`));
}

export function workers(): Promise<Workers> {
  return read(readWorkers, call("GET", "/api/workers"));
}

const UPLOAD_TIMEOUT_MS = 120_000;

/** @param payload JSON, sent as it is, so that no digit of it changes; null: there is none here */
export async function submitJob(
  submission: JobSubmission,
  payload: Blob | null,
): Promise<SubmittedJob> {
  const rest = JSON.stringify(submission).slice(0, -1);
  const body = payload ? `${rest},"payload":${await payload.text()}}` : `${rest}}`;
  const headers = { "content-type": "application/json" };
  const sending = { headers, body, timeoutMs: UPLOAD_TIMEOUT_MS };
  return read(readSubmittedJob, send("POST", "/api/jobs", sending));
}

/** Sends a part of a job's payload, and hears how much is there. */
export function uploadPart(
  id: string,
  content: Blob,
  from: number,
  to: number,
  sha256: string,
): Promise<JobFile> {
  const range = `bytes ${from}-${to - 1}/${content.size}`;
  const sending = {
    headers: {
      "content-type": "application/octet-stream",
      "content-range": range,
      "forge-sha256": sha256,
    },
    body: content.slice(from, to),
    timeoutMs: UPLOAD_TIMEOUT_MS,
  };
  return read(readJobFile, send("PUT", jobFilePath(id, "payload"), sending));
}

/** A file of a job that holds JSON. */
export function jobFile(id: string, name: string): Promise<unknown> {
  const sending = { headers: {}, body: null, timeoutMs: UPLOAD_TIMEOUT_MS };
  return read(anything, send("GET", jobFilePath(id, name), sending));
}

export function jobFilePath(id: string, name: string): string {
  return `${jobPath(id)}/files/${encodeURIComponent(name)}`;
}

function jobPath(id: string): string {
  return `/api/jobs/${encodeURIComponent(id)}`;
}
