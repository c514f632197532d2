/** The search for the best: what was found, what is proved, and the gap between, in time. */

import { useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { ShownContext, type Shown } from "../../charts/context";
import { cursor } from "../../charts/cursor";
import { ChartFigure } from "../../charts/figure";
import { withAlpha } from "../../charts/palette";
import { AXIS_PX, usePlot, type PlotKind } from "../../charts/plot";
import { now } from "../../clock";
import { longSpan } from "../../format/time";
import { plainNumber } from "../../format/units";
import { searchOf, type Search } from "../../jobs/search";
import { duration, gapOf, nameOf, share, shortId } from "../../jobs/words";
import type { Column } from "../../wire/history";
import type { Job } from "../../wire/jobs";

const HEIGHT = 220;
const MINUTE = 60_000;


export default function SearchChart({ job }: { readonly job: Job }) {
  const until = job.finished_at ?? now.value;
  const [zoom, setZoom] = useState<{ readonly from: number; readonly to: number } | null>(null);
  const search = useMemo(() => searchOf(job, until), [job, until]);
  const shown = useMemo(
    (): Shown => ({
      nodeId: `job-${shortId(job.id)}`,
      nodeName: nameOf(job),
      timeline: NO_TIMELINE,
      extent: zoom ?? { from: 0, to: search.length },
      marks: { silences: [], reboots: [] },
      onZoom: (from, to) => {
        setZoom({ from, to });
      },
      onBack: () => {
        setZoom(null);
      },
    }),
    [job.id, search, zoom],
  );
  return (
    <ShownContext.Provider value={shown}>
      <Chart search={search} />
    </ShownContext.Provider>
  );
}

const NO_TIMELINE: Shown["timeline"] = {
  stepMs: 1,
  ts: [],
  tracks: new Map(),
  upTo: 0,
  lastWeight: 0,
  gapMs: 0,
};

function Chart({ search }: { readonly search: Search }) {
  const box = useRef<HTMLDivElement>(null);
  const chart = usePlot(
    box,
    kindOf(search),
    () => [search.at, drawn(search.objective, search), drawn(search.bound, search)],
    search.isLog ? "search, logarithmic" : "search",
  );
  const at = cursor.value;
  const place = at === null ? search.at.length - 1 : placeOf(search, at);
  const objective = search.objective[place] ?? null;
  const bound = search.bound[place] ?? null;
  const gap = objective === null ? null : gapOf(objective, bound);
  return (
    <ChartFigure
      id="search"
      title="Search"
      subject={search.isLog ? "logarithmic" : undefined}
      class="search-chart"
      summary={`${search.found} found; objective ${words(search.objective.at(-1))}, bound ${words(search.bound.at(-1))}`}
      canvas={() => chart.current?.ctx.canvas ?? null}
      legend={
        <ul class="legend">
          <LegendEntry colour="series-1" label="objective" figure={words(objective)} />
          {search.hasBound && <LegendEntry colour="series-2" label="bound" figure={words(bound)} />}
          {gap !== null && (
            <li>
              <span class="legend-label">gap</span> <strong>{share(gap)}</strong>
            </li>
          )}
        </ul>
      }
    >
      <div ref={box} class="chart-box" />
    </ChartFigure>
  );
}

interface EntryProps {
  readonly colour: string;
  readonly label: string;
  readonly figure: string;
}

function LegendEntry({ colour, label, figure }: EntryProps) {
  return (
    <li>
      <span class="legend-key" data-colour={colour} aria-hidden="true" />
      <span class="legend-label">{label}</span> <strong>{figure}</strong>
    </li>
  );
}

function kindOf(search: Search): PlotKind {
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  return {
    height: HEIGHT,
    x: { ticks: (ticks) => ticks.map(sinceStart), moment: sinceStart },
    y: {
      range: (_chart, low, high) => {
        const room = Math.max((high - low) * 0.08, Math.abs(high) * 1e-6, 1e-9);
        return [low - room, high + room];
      },
    },
    yAxis: {
      values: (_chart, ticks) => ticks.map((tick) => plainNumber(search.isLog ? 10 ** tick : tick)),
      size: AXIS_PX,
    },
    series: (palette) => [
      line(palette("--series-1"), 2, stepped),
      line(palette("--series-2"), 1.5, stepped),
    ],
    bands: (palette) => [{ series: [1, 2], fill: withAlpha(palette("--series-1"), 0.12) }],
  };
}

function sinceStart(ms: number): string {
  return ms === 0 ? "0" : ms < MINUTE ? duration(ms) : longSpan(ms);
}

function drawn(column: Column, { isLog }: Search): Column {
  return isLog ? column.map((value) => (value === null ? null : Math.log10(value))) : column;
}

function line(
  stroke: string,
  width: number,
  paths: uPlot.Series.PathBuilder | undefined,
): uPlot.Series {
  return { stroke, width, ...(paths && { paths }), points: { show: false } };
}

/** A value holds until the next. */
function placeOf({ at }: Search, moment: number): number {
  let place = at.length - 1;
  while (place > 0 && (at[place] ?? 0) > moment) place -= 1;
  return place;
}

function words(value: number | null | undefined): string {
  return typeof value === "number" ? plainNumber(value) : "–";
}
