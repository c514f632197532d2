/** Watching machines and jobs live: one stream of each for all tabs, as long as somebody looks. */

import { signal } from "@preact/signals";
import type { Job, JobsFrame } from "../wire/jobs";
import type { Point } from "../wire/messages";
import { want } from "./port";
import type { ToTab, WatchState } from "./protocol";
import { jobTopic, nodeTopic, type News, type Topic } from "./topics";

export type { WatchState };

interface Watcher {
  readonly onNews: (news: News) => void;
  readonly onState: (state: WatchState) => void;
}

interface Watched {
  readonly watchers: Set<Watcher>;
  /** Those that have not been told yet what is known. */
  readonly newcomers: Set<Watcher>;
  state: WatchState | null;
  latest: News | null;
}

type OnState = (state: WatchState) => void;

/** How the stream of jobs, or of one, was last; null: nobody watched any yet. */
export const jobsState = signal<WatchState | null>(null);

const watched = new Map<Topic, Watched>();
let isSettling = false;

/**
 * Calls `onPoint` with each point of a machine, beginning with its latest, until told to stop. Its
 * agent pushes every second meanwhile.
 *
 * `onState` hears how it goes. "open": points come from now on, and what was missed before (the
 * tab was hidden, the line was broken) is to be had from the history; it is said each time anew.
 * "lost": the line is broken, and made again as soon as can be. "missing": there is no such thing,
 * or not for this sign-in; it is asked for again now and then. "refused": this browser watches as
 * many other things as it can; should one be let go, "open" follows. A hidden tab watches
 * nothing, and hears "open" again once it is looked at.
 */
export function watchNode(
  id: string,
  onPoint: (point: Point) => void,
  onState: OnState = () => undefined,
): () => void {
  return watch(nodeTopic(id), onPoint as Watcher["onNews"], onState);
}

/** The same of all jobs that this sign-in may see. A frame that says so asks for the list anew. */
export function watchJobs(onFrame: (frame: JobsFrame) => void, onState: OnState): () => void {
  return watch("jobs", onFrame as Watcher["onNews"], onState);
}

/** The same of one job: all of it but its payload and its result. */
export function watchJob(id: string, onJob: (job: Job) => void, onState: OnState): () => void {
  return watch(jobTopic(id), onJob as Watcher["onNews"], onState);
}

/** The hub reads what a topic's stream brings, so that its news are what its watchers take. */
function watch(topic: Topic, onNews: Watcher["onNews"], onState: OnState): () => void {
  const watcher: Watcher = { onNews, onState };
  const known = watched.get(topic) ?? added(topic);
  known.watchers.add(watcher);
  known.newcomers.add(watcher);
  settleSoon();
  return () => {
    known.watchers.delete(watcher);
    known.newcomers.delete(watcher);
    settleSoon();
  };
}

export function receiveOfTopic(message: Extract<ToTab, { kind: "topic" | "news" }>): void {
  if (message.kind === "topic" && !message.topic.startsWith("node/")) {
    jobsState.value = message.state;
  }
  const known = watched.get(message.topic);
  if (!known) return;
  if (message.kind === "topic") onState(known, message.state);
  else onNews(known, message.news);
}

function onState(known: Watched, state: WatchState): void {
  if (state === known.state && state !== "open") return;
  known.state = state;
  for (const watcher of known.watchers) watcher.onState(state);
}

function onNews(known: Watched, news: News): void {
  // A stream that opens again begins with the point it may have ended with.
  if (known.latest && isSamePoint(news, known.latest)) return;
  // What changed among the jobs is news once: who comes later asks for the list.
  if (!("counts" in news)) known.latest = news;
  for (const watcher of known.watchers) watcher.onNews(news);
}

function isSamePoint(one: News, other: News): boolean {
  return "ts" in one && "ts" in other && one.ts === other.ts;
}

function added(topic: Topic): Watched {
  const fresh = {
    watchers: new Set<Watcher>(),
    newcomers: new Set<Watcher>(),
    state: null,
    latest: null,
  };
  watched.set(topic, fresh);
  return fresh;
}

/** Once for all that changes at once, and before the hub's next word: a view may make way for another of the same. */
function settleSoon(): void {
  if (isSettling) return;
  isSettling = true;
  queueMicrotask(() => {
    isSettling = false;
    for (const [topic, { watchers }] of watched) if (watchers.size === 0) watched.delete(topic);
    want(Array.from(watched.keys()));
    for (const known of watched.values()) welcome(known);
  });
}

function welcome({ newcomers, state, latest }: Watched): void {
  for (const watcher of newcomers) {
    newcomers.delete(watcher);
    if (state) watcher.onState(state);
    if (latest) watcher.onNews(latest);
  }
}
