/** Which jobs the page shows, as its address says it: #/jobs?status=running&type=echo&node=a&q=b */

import { JOB_STATUSES, type JobStatus, type JobSummary } from "../wire/jobs";

export interface JobsQuery {
  /** Empty: any. Otherwise one of these. */
  readonly statuses: readonly JobStatus[];
  /** Empty: any, both. */
  readonly type: string;
  readonly node: string;
  /** In the name, or at the beginning of the id. */
  readonly search: string;
}

export const EVERY_JOB: JobsQuery = { statuses: [], type: "", node: "", search: "" };

export function parseJobsQuery(params: URLSearchParams): JobsQuery {
  return {
    statuses: JOB_STATUSES.filter((status) => params.getAll("status").includes(status)),
    type: params.get("type") ?? "",
    node: params.get("node") ?? "",
    search: params.get("q") ?? "",
  };
}

/** Leaves out what is as it is by default, so that a plain view has a plain address. */
export function formatJobsQuery(query: JobsQuery): URLSearchParams {
  const params = new URLSearchParams();
  for (const status of query.statuses) params.append("status", status);
  if (query.type) params.set("type", query.type);
  if (query.node) params.set("node", query.node);
  if (query.search) params.set("q", query.search);
  return params;
}

/** Whether it narrows down more than the status, whose counts are known. */
export function isNarrow({ type, node, search }: JobsQuery): boolean {
  return type !== "" || node !== "" || search.trim() !== "";
}

export function isFiltered(query: JobsQuery): boolean {
  return query.statuses.length > 0 || isNarrow(query);
}

/** As the collector looks for them: what comes live must be what it would list. */
export function matcherOf(query: JobsQuery): (job: JobSummary) => boolean {
  const words = query.search.trim().toLowerCase();
  return (job) =>
    (query.statuses.length === 0 || query.statuses.includes(job.status)) &&
    (!query.type || job.type === query.type) &&
    (!query.node || job.node_id === query.node) &&
    (!words || (job.name ?? "").toLowerCase().includes(words) || job.id.startsWith(words));
}
