/** One job: asked for once, followed live, and asked for again when there is a result. */

import { useEffect, useReducer, useRef } from "preact/hooks";
import { ApiError } from "../../api";
import { job as askForJob } from "../../jobs/api";
import { isFinished } from "../../jobs/words";
import { reasonOf } from "../../reason";
import { watchJob, type WatchState } from "../../stream/watch";
import type { Job } from "../../wire/jobs";

/** Where there is no live stream. */
const POLL_MS = 5000;

export function useJob(id: string): JobLoader {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const kept = useRef<JobLoader | null>(null);
  const loader = (kept.current ??= new JobLoader(id, () => {
    redraw(undefined);
  }));
  useEffect(() => loader.watch(), [loader]);
  return loader;
}

export class JobLoader {
  /** null: nothing came yet. */
  job: Job | null = null;
  isMissing = false;
  failure = "";
  state: WatchState | null = null;

  readonly #id: string;
  readonly #redraw: () => void;
  #turn = 0;
  /** Its payload and its result are there as they will stay. */
  #isWhole = false;

  constructor(id: string, redraw: () => void) {
    this.#id = id;
    this.#redraw = redraw;
  }

  watch(): () => void {
    this.reload();
    const stop = watchJob(
      this.#id,
      (job) => {
        this.#onNews(job);
      },
      (state) => {
        this.state = state;
        this.#redraw();
      },
    );
    const poll = setInterval(() => {
      if (this.state !== "open" && document.visibilityState === "visible") this.reload();
    }, POLL_MS);
    return () => {
      stop();
      clearInterval(poll);
      this.#turn += 1;
    };
  }

  reload(): void {
    const turn = ++this.#turn;
    askForJob(this.#id).then(
      (job) => {
        if (turn !== this.#turn) return;
        this.job = job;
        this.isMissing = false;
        this.failure = "";
        this.#isWhole = isFinished(job.status);
        this.#redraw();
      },
      (error: unknown) => {
        if (turn !== this.#turn) return;
        this.isMissing = error instanceof ApiError && error.status === 404;
        this.failure = reasonOf(error);
        this.#redraw();
      },
    );
  }

  /** The stream leaves out what is large and does not change: payload and result. */
  #onNews(news: Job): void {
    const { job } = this;
    if (!job) return;
    const isOver = isFinished(news.status);
    const result = isOver ? job.result : null;
    this.job = { ...news, payload: job.payload, result };
    if (!isOver) this.#isWhole = false;
    if (isOver && !this.#isWhole) this.reload();
    this.#redraw();
  }
}
