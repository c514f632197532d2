/** A machine's past in a range, kept up to now where the range ends there. */

import { useEffect, useLayoutEffect, useMemo, useReducer, useRef } from "preact/hooks";
import { nodeHistory } from "../../api";
import { now } from "../../clock";
import {
  extentOf,
  lengthOf,
  pointsFor,
  type Extent,
  type Range,
} from "../../history/range";
import { extended, isBucketed, timelineOf, type Timeline } from "../../history/timeline";
import { reasonOf } from "../../reason";
import { watchNode, type WatchState } from "../../stream/watch";
import type { Point, Values } from "../../wire/messages";

export interface Past {
  /** null: nothing came yet. */
  readonly timeline: Timeline | null;
  readonly extent: Extent;
  /** Another range is on its way; what is shown is what there was. */
  readonly isFetching: boolean;
  readonly failure: string;
  /** The newest figures, whatever the range. */
  readonly latest: Values | null;
  readonly watch: WatchState | "none";
  readonly reload: () => void;
}

/** Lines begin before the left edge, so that they reach it. */
const BEFORE_MS = 20_000;
/** Averages are made anew by the collector at least this often, and no more often. */
const RENEW_MS = 60_000;
/** While a machine replays what it measured offline, the past fills in. */
const FILLING_MS = 15_000;
const FILLING_BYTES = 64 * 1024;
/** Where there is no live stream, and after a failure. */
const POLL_MS = 10_000;
/** Waiting points beyond this are the collector's to tell. */
const MOST_PLACES = 1200;

interface Holding {
  timeline: Timeline | null;
  extent: Extent;
  isFetching: boolean;
  failure: string;
  latest: Values | null;
  watch: WatchState | "none";
  waiting: Point[];
  /** What the machine has not replayed yet, in bytes. */
  unreplayed: number;
  /** Something was replayed that is not drawn yet. */
  isStale: boolean;
  /** By performance.now(). */
  drawnAt: number;
  loadedAt: number;
  turn: number;
}

export function usePast(id: string, range: Range): Past {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const held = useRef<Holding | null>(null);
  held.current ??= {
    timeline: null,
    extent: extentOf(range, now.peek()),
    isFetching: true,
    failure: "",
    latest: null,
    watch: "none",
    waiting: [],
    unreplayed: 0,
    isStale: false,
    drawnAt: -Infinity,
    loadedAt: -Infinity,
    turn: 0,
  };
  const holding = held.current;
  const wanted = useRef(range);
  wanted.current = range;

  const load = useMemo(
    () => () => {
      const turn = ++holding.turn;
      holding.isFetching = true;
      const asked = wanted.current;
      const extent = extentOf(asked, now.peek());
      nodeHistory(id, {
        from: Math.floor(extent.from - BEFORE_MS),
        to: asked.kind === "span" ? Math.ceil(extent.to) : null,
        points: pointsFor(lengthOf(extent)),
      }).then(
        (history) => {
          if (turn !== holding.turn) return;
          const timeline = timelineOf(history);
          holding.timeline = timeline;
          holding.waiting = holding.waiting.filter((point) => point.ts > timeline.upTo);
          settle(holding, "");
          advance(holding, asked);
          redraw(0);
        },
        (error: unknown) => {
          if (turn !== holding.turn) return;
          settle(holding, reasonOf(error));
          redraw(0);
        },
      );
    },
    [id, holding],
  );

  useLayoutEffect(() => {
    holding.extent = extentOf(range, now.peek());
    load();
    redraw(0);
  }, [range, load, holding]);

  useEffect(() => {
    let opened = 0;
    const stopWatching = watchNode(
      id,
      (point) => {
        holding.latest = point.values;
        holding.waiting.push(point);
        const unreplayed = point.values.get("agent.spool_bytes") ?? 0;
        if (unreplayed < holding.unreplayed) holding.isStale = true;
        holding.unreplayed = unreplayed;
      },
      (state) => {
        holding.watch = state;
        // Whatever came while there was no stream is to be asked for.
        if (state === "open" && ++opened > 1) load();
        redraw(0);
      },
    );
    const stopClock = now.subscribe(() => {
      tick(holding, wanted.current, load, () => {
        redraw(0);
      });
    });
    return () => {
      stopWatching();
      stopClock();
      holding.turn += 1;
    };
  }, [id, load, holding]);

  const { timeline, extent, isFetching, failure, latest, watch } = holding;
  return { timeline, extent, isFetching, failure, latest, watch, reload: load };
}

function settle(holding: Holding, failure: string): void {
  holding.isFetching = false;
  holding.failure = failure;
  holding.loadedAt = performance.now();
}

/** Once a second: what came since is drawn, as often as it makes a difference of a pixel. */
function tick(holding: Holding, range: Range, load: () => void, redraw: () => void): void {
  const { timeline } = holding;
  if (document.visibilityState === "hidden") return;
  const sinceLoaded = performance.now() - holding.loadedAt;
  if (holding.failure && !holding.isFetching && sinceLoaded > POLL_MS) load();
  const hasFilled = holding.unreplayed < FILLING_BYTES || sinceLoaded > FILLING_MS;
  if (holding.isStale && hasFilled && !holding.isFetching) {
    holding.isStale = false;
    load();
  }
  if (range.kind === "span" || !timeline) {
    holding.waiting = [];
    redraw();
    return;
  }
  const renewal =
    holding.watch === "open"
      ? isBucketed(timeline)
        ? Math.max(RENEW_MS, timeline.stepMs)
        : Infinity
      : POLL_MS;
  if (!holding.isFetching && (sinceLoaded > renewal || timeline.ts.length > MOST_PLACES)) load();
  const perPixel = Math.min(30_000, Math.max(1000, range.ms / 800));
  if (performance.now() - holding.drawnAt < perPixel - 200) return;
  advance(holding, range);
  redraw();
}

/** Brings the timeline and what is seen of it up to now. */
function advance(holding: Holding, range: Range): void {
  const newest = holding.waiting.at(-1)?.ts ?? 0;
  holding.drawnAt = performance.now();
  holding.extent = extentOf(range, Math.max(now.peek(), newest));
  if (!holding.timeline || range.kind === "span") return;
  holding.timeline = extended(
    holding.timeline,
    holding.waiting,
    holding.extent.from - holding.timeline.stepMs,
  );
  holding.waiting = [];
}
