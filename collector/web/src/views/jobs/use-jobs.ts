/** The jobs that are asked for: the first pages of each status, further ones, and what comes live. */

import { useEffect, useReducer, useRef } from "preact/hooks";
import { jobs as askForJobs, type JobsWanted } from "../../jobs/api";
import { setCollectorTime } from "../../clock";
import {
  applyFrame,
  endingFirst,
  isOverfull,
  NO_JOBS,
  withFirstPage,
  withAll,
  withNextPage,
  type JobLists,
} from "../../jobs/lists";
import { matcherOf, type JobsQuery } from "../../jobs/query";
import { reasonOf } from "../../reason";
import { watchJobs, type WatchState } from "../../stream/watch";
import { JOB_STATUSES, type Jobs, type JobsFrame, type JobStatus } from "../../wire/jobs";

const PAGE = 100;
const MOST_OF_A_PAGE = 500;
/** When more changes than the stream tells, the pages are asked for anew, but not all the time. */
const RELOAD_MS = 2000;
/** Where there is no live stream. */
const POLL_MS = 10_000;
const TYPING_MS = 150;

/** @param onNews told before anything new is drawn */
export function useJobs(query: JobsQuery, onNews: () => void): JobsLoader {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const kept = useRef<JobsLoader | null>(null);
  const latest = useRef(onNews);
  latest.current = onNews;
  const loader = (kept.current ??= new JobsLoader(query, () => {
    latest.current();
    redraw(undefined);
  }));
  useEffect(() => {
    loader.ask(query);
  }, [loader, query]);
  useEffect(() => loader.watch(), [loader]);
  return loader;
}

export class JobsLoader {
  /** null: nothing came yet. */
  lists: JobLists | null = null;
  isFetching = true;
  failure = "";
  state: WatchState | null = null;

  readonly #redraw: () => void;
  #query: JobsQuery;
  /** What the lists are of. */
  #listed: JobsQuery | null = null;
  #matches: ReturnType<typeof matcherOf>;
  #turn = 0;
  #askedAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What came live since the request went out that is under way. */
  #since: JobsFrame[] = [];
  /** What came live since the last picture. */
  #fresh: JobsFrame[] = [];
  #painting = 0;

  constructor(query: JobsQuery, redraw: () => void) {
    this.#query = query;
    this.#matches = matcherOf(query);
    this.#redraw = redraw;
  }

  /** Other jobs are wanted. While somebody types, nothing is asked for. */
  ask(query: JobsQuery): void {
    const isTyping = query.search !== this.#query.search;
    this.#query = query;
    this.#matches = matcherOf(query);
    this.isFetching = true;
    this.#loadIn(isTyping ? TYPING_MS : 0);
  }

  reload(): void {
    this.#loadIn(Math.max(0, this.#askedAt + RELOAD_MS - performance.now()));
  }

  /** Follows what becomes of jobs until told to stop. */
  watch(): () => void {
    const stop = watchJobs(
      (frame) => {
        this.#onFrame(frame);
      },
      (state) => {
        this.state = state;
        if (state === "open") this.reload();
        this.#redraw();
      },
    );
    const poll = setInterval(() => {
      if (this.state !== "open" && document.visibilityState === "visible") this.reload();
    }, POLL_MS);
    return () => {
      stop();
      clearInterval(poll);
      clearTimeout(this.#timer);
      cancelAnimationFrame(this.#painting);
      this.#turn += 1;
    };
  }

  /** Goes further back in these statuses. */
  async more(statuses: readonly JobStatus[]): Promise<void> {
    if (!this.lists) return;
    const turn = this.#turn;
    const query = this.#query;
    for (const status of endingFirst(this.lists, statuses)) {
      const before = this.lists.reaches.get(status)?.next;
      if (before === null || before === undefined) continue;
      const page = await askForJobs({ ...wanted(query, status), before, limit: PAGE });
      if (turn !== this.#turn) return;
      this.lists = withNextPage(this.lists, status, page);
    }
    this.#redraw();
  }

  #loadIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#load(), ms);
  }

  async #load(): Promise<void> {
    const turn = ++this.#turn;
    const query = this.#query;
    this.#askedAt = performance.now();
    this.#since = [];
    try {
      let lists = await this.#ask(query);
      if (turn !== this.#turn) return;
      for (const frame of this.#since) lists = applyFrame(lists, frame, this.#matches);
      this.lists = lists;
      this.#listed = query;
      this.failure = "";
    } catch (error) {
      if (turn !== this.#turn) return;
      this.failure = reasonOf(error);
    }
    this.isFetching = false;
    this.#redraw();
  }

  /** All jobs at once; where they are too many for that, the first ones of each status. */
  async #ask(query: JobsQuery): Promise<JobLists> {
    let statuses = query.statuses.length > 0 ? query.statuses : JOB_STATUSES;
    let none = NO_JOBS;
    if (statuses.length > 1) {
      const all = await askForJobs({ ...narrowed(query), limit: PAGE });
      if (all.next === null) return withAll(statuses, all);
      none = { ...NO_JOBS, counts: all.counts };
      statuses = statuses.filter((status) => all.counts.get(status) !== 0);
    }
    const pages = await Promise.all(
      statuses.map(async (status) => ({ status, page: await this.#pageOf(query, status) })),
    );
    return pages.reduce((lists, { status, page }) => withFirstPage(lists, status, page), none);
  }

  /** As many as were there are asked for again: what one has scrolled to stays. */
  async #pageOf(query: JobsQuery, status: JobStatus): Promise<Jobs> {
    const asked = query === this.#listed ? this.lists?.reaches.get(status)?.asked : undefined;
    const most = Math.max(PAGE, asked ?? 0);
    const from = wanted(query, status);
    let page = await askForJobs({ ...from, limit: Math.min(MOST_OF_A_PAGE, most) });
    while (page.next !== null && page.jobs.length < most) {
      const limit = Math.min(MOST_OF_A_PAGE, most - page.jobs.length);
      const further = await askForJobs({ ...from, before: page.next, limit });
      page = { ...further, jobs: [...page.jobs, ...further.jobs] };
    }
    return page;
  }

  #onFrame(frame: JobsFrame): void {
    setCollectorTime(frame.now);
    if (frame.reload) this.reload();
    this.#since.push(frame);
    this.#fresh.push(frame);
    this.#painting ||= requestAnimationFrame(() => {
      this.#paint();
    });
  }

  #paint(): void {
    this.#painting = 0;
    const frames = this.#fresh;
    this.#fresh = [];
    if (!this.lists) return;
    for (const frame of frames) this.lists = applyFrame(this.lists, frame, this.#matches);
    if (isOverfull(this.lists)) this.reload();
    this.#redraw();
  }
}

function wanted(query: JobsQuery, status: JobStatus): Omit<JobsWanted, "limit"> {
  const all = { ...narrowed(query), status };
  return status === "pending" ? { ...all, order: "rank" } : all;
}

function narrowed({ type, node, search }: JobsQuery) {
  return { type, node, q: search.trim() };
}
