/**
 * The jobs that this tab knows: the first of each status, page by page, and what came live since.
 * First are the newest, but of those that are pending the ones that are taken next.
 *
 * A page ends somewhere. Whatever comes after its end is not shown even when it is known from
 * the stream: between it and the end may be jobs that nobody told us of.
 */

import { JOB_STATUSES, type JobCounts, type Jobs, type JobsFrame, type JobStatus, type JobSummary } from "../wire/jobs";

/** How far the jobs of a status are known. */
interface Reach {
  /** What to ask for to have the next page; null: there is none. */
  readonly next: string | null;
  /** The last job of the pages that are there. */
  readonly end: JobSummary | null;
  /** How many jobs the pages had. */
  readonly asked: number;
}

export interface JobLists {
  readonly jobs: ReadonlyMap<string, JobSummary>;
  /** How many jobs there are in each status, whatever is filtered. */
  readonly counts: JobCounts;
  readonly reaches: ReadonlyMap<JobStatus, Reach>;
}

export const NO_JOBS: JobLists = { jobs: new Map(), counts: new Map(), reaches: new Map() };

/** So many more than were asked for, and they are better asked for anew. */
const MOST_NEWCOMERS = 500;

/** The first page of a status in place of what was known of it. */
export function withFirstPage(lists: JobLists, status: JobStatus, page: Jobs): JobLists {
  const jobs = new Map(lists.jobs);
  for (const [id, job] of jobs) if (job.status === status) jobs.delete(id);
  return withPage({ ...lists, jobs }, status, page, 0);
}

export function withNextPage(lists: JobLists, status: JobStatus, page: Jobs): JobLists {
  return withPage(lists, status, page, lists.reaches.get(status)?.asked ?? 0);
}

/** All there is, in one page, by status. */
export function withAll(statuses: readonly JobStatus[], page: Jobs): JobLists {
  return statuses.reduce((lists, status) => {
    const jobs = page.jobs.filter((job) => job.status === status);
    return withFirstPage(lists, status, { ...page, jobs });
  }, NO_JOBS);
}

function withPage(lists: JobLists, status: JobStatus, page: Jobs, before: number): JobLists {
  const jobs = new Map(lists.jobs);
  for (const job of page.jobs) jobs.set(job.id, job);
  const reach: Reach = {
    next: page.next,
    end: page.jobs.at(-1) ?? null,
    asked: before + page.jobs.length,
  };
  return {
    jobs,
    counts: page.counts,
    reaches: new Map(lists.reaches).set(status, reach),
  };
}

/** Takes in what changed. A job that did not keeps its object, so its row is not even looked at. */
export function applyFrame(
  lists: JobLists,
  frame: JobsFrame,
  matches: (job: JobSummary) => boolean,
): JobLists {
  if (frame.jobs.length === 0 && frame.gone.length === 0) return { ...lists, counts: frame.counts };
  const jobs = new Map(lists.jobs);
  for (const id of frame.gone) jobs.delete(id);
  for (const job of frame.jobs) {
    if (matches(job)) jobs.set(job.id, job);
    else jobs.delete(job.id);
  }
  return { ...lists, counts: frame.counts, jobs };
}

export interface Section {
  readonly jobs: readonly JobSummary[];
  /** There are more than these. */
  readonly hasMore: boolean;
}

export function sectionOf(lists: JobLists, statuses: readonly JobStatus[]): Section {
  const reaches = statuses.flatMap((status) => lists.reaches.get(status) ?? []);
  const open = reaches.filter(({ next }) => next !== null);
  const inOrder = orderOf(statuses);
  const jobs: JobSummary[] = [];
  for (const job of lists.jobs.values()) {
    if (!statuses.includes(job.status)) continue;
    if (open.every(({ end }) => end === null || inOrder(job, end) <= 0)) jobs.push(job);
  }
  return { jobs: jobs.sort(inOrder), hasMore: open.length > 0 };
}

/** Of these statuses those whose next page is wanted to see further: the ones that end first. */
export function endingFirst(
  lists: JobLists,
  statuses: readonly JobStatus[],
): readonly JobStatus[] {
  const open = statuses.flatMap((status) => {
    const reach = lists.reaches.get(status);
    return reach?.end && reach.next !== null ? [{ status, end: reach.end }] : [];
  });
  const first = open.map(({ end }) => end).sort(orderOf(statuses))[0];
  return open.filter(({ end }) => end === first).map(({ status }) => status);
}

/** Whether so many came live that the pages no longer say what there is. */
export function isOverfull(lists: JobLists): boolean {
  const asked = [...lists.reaches.values()].reduce((sum, one) => sum + one.asked, 0);
  return lists.jobs.size > asked + MOST_NEWCOMERS;
}

export function totalOf(counts: JobCounts, statuses: readonly JobStatus[]): number {
  return statuses.reduce((sum, status) => sum + (counts.get(status) ?? 0), 0);
}

export function allOf(counts: JobCounts): number {
  return totalOf(counts, JOB_STATUSES);
}

function orderOf(statuses: readonly JobStatus[]): (a: JobSummary, b: JobSummary) => number {
  return statuses.every((status) => status === "pending") ? nextFirst : newestFirst;
}

function newestFirst(a: JobSummary, b: JobSummary): number {
  return b.created_at - a.created_at || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}

/** As the collector gives them to workers. */
function nextFirst(a: JobSummary, b: JobSummary): number {
  return (a.rank ?? 0) - (b.rank ?? 0) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
