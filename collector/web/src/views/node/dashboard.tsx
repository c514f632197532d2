/** Everything there is to see of a machine: figures now, charts of a range, facts. */

import { useCallback, useEffect, useMemo, useRef } from "preact/hooks";
import { Chart } from "../../charts/chart";
import { ShownContext, type Shown } from "../../charts/context";
import { cursor } from "../../charts/cursor";
import type { ChartSpec } from "../../charts/spec";
import { now } from "../../clock";
import type { Machine } from "../../fleet/state";
import { csvOf } from "../../history/csv";
import { reboots, silences } from "../../history/moments";
import {
  marked,
  panned,
  PRESETS,
  sameRange,
  zoomedIn,
  zoomedOut,
  type Range,
  type SetRange,
} from "../../history/range";
import { lastMeasured, valuesAt, type Timeline } from "../../history/timeline";
import { useKeys } from "../../keys";
import { save } from "../../ui/download";
import { Unloaded } from "../../ui/unloaded";
import { Cores, toggleCores } from "./cores";
import { Facts } from "./facts";
import { Happenings } from "./happenings";
import { coreKeys, sectionsOf, type Section } from "./panels";
import { RangeBar } from "./range-bar";
import { ChartSkeletons, NothingHere } from "./states";
import type { Past } from "./use-past";
import { Vitals } from "./vitals-row";

export interface DashboardProps {
  readonly machine: Machine;
  readonly past: Past;
  readonly range: Range;
  readonly usual: Range;
  readonly onRange: SetRange;
}

export default function Dashboard({ machine, past, range, usual, onRange }: DashboardProps) {
  const { timeline } = past;
  const back = useWayBack(range, usual, onRange);
  useRangeKeys(onRange, back);
  useEffect(
    () => () => {
      cursor.value = null;
    },
    [],
  );
  const hasFigures = timeline !== null && lastMeasured(timeline) >= 0;
  const latest = past.latest ?? (timeline && valuesAt(timeline, lastMeasured(timeline)));
  return (
    <>
      <RangeBar
        range={range}
        past={past}
        isOnline={machine.status === "online"}
        onRange={onRange}
        onBack={back}
        onExport={
          hasFigures
            ? () => {
                exportCsv(machine.id, timeline, past);
              }
            : null
        }
      />
      {past.failure && timeline && (
        <p class="notice notice-bad" role="alert">
          {past.failure}{" "}
          <button type="button" class="button button-small" onClick={past.reload}>
            Try again
          </button>
        </p>
      )}
      {latest && latest.size > 0 && (
        <Vitals values={latest} cores={machine.facts.cpu_cores} isNow={machine.status !== "offline"} />
      )}
      {!timeline && past.failure && (
        <Unloaded what="The figures" reason={past.failure} onRetry={past.reload} />
      )}
      {!timeline && !past.failure && <ChartSkeletons />}
      {timeline && !hasFigures && !past.isFetching && (
        <NothingHere machine={machine} range={range} onRange={onRange} />
      )}
      {hasFigures && (
        <Charts
          machine={machine}
          past={past}
          timeline={timeline}
          onZoom={(from, to) => {
            onRange(marked(from, Math.min(to, now.peek())));
          }}
          onBack={back}
        />
      )}
      <Facts machine={machine} />
    </>
  );
}

interface ChartsProps {
  readonly machine: Machine;
  readonly past: Past;
  readonly timeline: Timeline;
  readonly onZoom: (from: number, to: number) => void;
  readonly onBack: (() => void) | null;
}

function Charts({ machine, past, timeline, onZoom, onBack }: ChartsProps) {
  const { extent } = past;
  const { first_seen: firstSeen, cpu_cores: cores } = machine.facts;
  const acts = useRef({ onZoom, onBack });
  acts.current = { onZoom, onBack };
  const shown = useMemo<Shown>(
    () => ({
      nodeId: machine.id,
      nodeName: machine.name,
      timeline,
      extent,
      marks: {
        // What an agent replays may be older than the collector's first word from it.
        silences: silences(timeline, extent, Math.min(firstSeen, timeline.ts[0] ?? firstSeen)),
        reboots: reboots(timeline),
      },
      onZoom: (from, to) => {
        acts.current.onZoom(from, to);
      },
      onBack: () => {
        acts.current.onBack?.();
      },
    }),
    [machine.id, machine.name, timeline, extent, firstSeen],
  );
  const sections = useSame(useMemo(() => sectionsOf(timeline, cores), [timeline, cores]));
  const cpus = useSame(useMemo(() => coreKeys(timeline), [timeline]));
  return (
    <ShownContext.Provider value={shown}>
      <Happenings marks={shown.marks} extent={extent} />
      <div class="sections" data-drawn="true">
        {sections.map((section) => (
          <section key={section.title} class="section" aria-label={section.title}>
            <h2>{section.title}</h2>
            <div class="charts">
              {section.charts.map((spec) => (
                <Chart key={spec.id} spec={spec} />
              ))}
              {section.title === "Processor" && cpus.length > 1 && <Cores keys={cpus} />}
            </div>
          </section>
        ))}
      </div>
    </ShownContext.Provider>
  );
}

/** The same object as long as what is in it is the same: charts are made anew for another. */
function useSame<T extends readonly (Section | ChartSpec | string)[]>(value: T): T {
  const last = useRef({ value, words: "" });
  const words = JSON.stringify(value);
  if (words !== last.current.words) last.current = { value, words };
  return last.current.value;
}

/** Back to where one zoomed from; from a stretch that was opened by its address, to the usual. */
function useWayBack(
  range: Range,
  usual: Range,
  onRange: SetRange,
): (() => void) | null {
  const way = useRef<Range[]>([]);
  const last = useRef(range);
  const goingBack = useRef(false);
  if (!sameRange(last.current, range)) {
    const before = way.current.at(-1);
    // The browser's own way back is one too.
    if (before && sameRange(before, range)) way.current.pop();
    else if (!goingBack.current) {
      if (range.kind === "last") way.current = [];
      else way.current.push(last.current);
    }
    goingBack.current = false;
    last.current = range;
  }
  if (range.kind === "last") return null;
  return () => {
    goingBack.current = true;
    onRange(way.current.at(-1) ?? usual);
  };
}

function useRangeKeys(onRange: SetRange, onBack: (() => void) | null): void {
  const onKey = useCallback(
    (key: string, event: KeyboardEvent) => {
      const preset = PRESETS[Number(key) - 1];
      if (preset) onRange({ kind: "last", ms: preset.ms });
      else if (key === "+" || key === "=") onRange((from) => zoomedIn(from, now.peek()));
      else if (key === "-") onRange((from) => zoomedOut(from, now.peek()));
      else if (event.shiftKey && key === "ArrowLeft") onRange((from) => panned(from, -1, now.peek()));
      else if (event.shiftKey && key === "ArrowRight") onRange((from) => panned(from, 1, now.peek()));
      else if (key === "Backspace" && onBack) onBack();
      else if (key === "c") toggleCores();
      else return false;
      return true;
    },
    [onRange, onBack],
  );
  useKeys(onKey);
}

function exportCsv(id: string, timeline: Timeline, { extent }: Past): void {
  const day = (at: number) => new Date(at).toISOString().slice(0, 16).replace(":", "");
  const name = `${id}-${day(extent.from)}-${day(extent.to)}.csv`;
  save(new Blob([csvOf(timeline, extent)], { type: "text/csv" }), name);
}
