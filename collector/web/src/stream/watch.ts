/** Watching machines live: while somebody looks, their agents push every second. */

import type { Point } from "../wire/messages";
import { want } from "./port";
import type { ToTab, WatchState } from "./protocol";

export type { WatchState };

interface Watcher {
  readonly onPoint: (point: Point) => void;
  readonly onState: (state: WatchState) => void;
}

interface Watched {
  readonly watchers: Set<Watcher>;
  /** Those that have not been told yet what is known. */
  readonly newcomers: Set<Watcher>;
  state: WatchState | null;
  latest: Point | null;
}

const watched = new Map<string, Watched>();
let isSettling = false;

/**
 * Calls `onPoint` with each point of a machine, beginning with its latest, until told to stop.
 *
 * `onState` hears how it goes. "open": points come from now on, and what was missed before (the
 * tab was hidden, the line was broken) is to be had from the history; it is said each time anew.
 * "lost": the line is broken, and made again as soon as can be. "refused": this browser watches as
 * many other machines as it can; should one be let go, "open" follows. A hidden tab watches
 * nothing, and hears "open" again once it is looked at.
 */
export function watchNode(
  id: string,
  onPoint: (point: Point) => void,
  onState: (state: WatchState) => void = () => undefined,
): () => void {
  const watcher: Watcher = { onPoint, onState };
  const node = watched.get(id) ?? added(id);
  node.watchers.add(watcher);
  node.newcomers.add(watcher);
  settleSoon();
  return () => {
    node.watchers.delete(watcher);
    node.newcomers.delete(watcher);
    settleSoon();
  };
}

export function receiveOfNode(message: Extract<ToTab, { kind: "node" | "point" }>): void {
  const node = watched.get(message.id);
  if (!node) return;
  if (message.kind === "node") onState(node, message.state);
  else onPoint(node, message.point);
}

function onState(node: Watched, state: WatchState): void {
  if (state === node.state && state !== "open") return;
  node.state = state;
  for (const watcher of node.watchers) watcher.onState(state);
}

function onPoint(node: Watched, point: Point): void {
  // A stream that opens again begins with the point it may have ended with.
  if (point.ts === node.latest?.ts) return;
  node.latest = point;
  for (const watcher of node.watchers) watcher.onPoint(point);
}

function added(id: string): Watched {
  const node = {
    watchers: new Set<Watcher>(),
    newcomers: new Set<Watcher>(),
    state: null,
    latest: null,
  };
  watched.set(id, node);
  return node;
}

/** Once for all that changes at once, and before the hub's next word: a view may make way for another of the same machine. */
function settleSoon(): void {
  if (isSettling) return;
  isSettling = true;
  queueMicrotask(() => {
    isSettling = false;
    for (const [id, node] of watched) if (node.watchers.size === 0) watched.delete(id);
    want(Array.from(watched.keys()));
    for (const node of watched.values()) welcome(node);
  });
}

function welcome({ newcomers, state, latest }: Watched): void {
  for (const watcher of newcomers) {
    newcomers.delete(watcher);
    if (state) watcher.onState(state);
    if (latest) watcher.onPoint(latest);
  }
}
