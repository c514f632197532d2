/** The search for the best: what was found, what is proved, and the gap between, in time. */

import { useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { ShownContext, type Shown } from "../../charts/context";
import { cursor } from "../../charts/cursor";
import { ChartFigure } from "../../charts/figure";
import { FONT, withAlpha, type Palette } from "../../charts/palette";
import { AXIS_PX, MARGIN_RIGHT_PX, usePlot, type PlotKind } from "../../charts/plot";
import { now } from "../../clock";
import { longSpan } from "../../format/time";
import { count, plainNumber } from "../../format/units";
import type { Extent } from "../../history/range";
import { labelsOf, rangeOf, searchOf, type Search } from "../../jobs/search";
import { duration, gapOf, nameOf, share, shortId } from "../../jobs/words";
import type { Column } from "../../wire/history";
import type { Job } from "../../wire/jobs";

const HEIGHT = 220;
const MINUTE = 60_000;

export default function SearchChart({ job }: { readonly job: Job }) {
  const until = job.finished_at ?? now.value;
  const [zoom, setZoom] = useState<Extent | null>(null);
  const search = useMemo(() => searchOf(job, until), [job, until]);
  const shown = useMemo(
    (): Shown => ({
      nodeId: `job-${shortId(job.id)}`,
      nodeName: nameOf(job),
      timeline: NO_TIMELINE,
      extent: zoom ?? { from: 0, to: search.length },
      marks: { silences: [], reboots: [] },
      inWords: ({ from, to }) => `${sinceStart(from)} – ${sinceStart(to)}`,
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
      <Chart search={search} extent={shown.extent} />
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

interface ChartProps {
  readonly search: Search;
  readonly extent: Extent;
}

interface Drawn extends ChartProps {
  readonly widthPx: number;
}

function Chart({ search, extent }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const drawn = useRef<Drawn>({ search, extent, widthPx: 0 });
  drawn.current = { search, extent, widthPx: box.current?.clientWidth ?? 0 };
  const chart = usePlot(
    box,
    kindOf(drawn),
    () => columnsOf(search),
    search.isLog ? "search, logarithmic" : "search",
  );
  const at = cursor.value;
  const place = at === null ? search.at.length - 1 : placeOf(search, at);
  const objective = search.objective[place] ?? null;
  const bound = search.bound[place] ?? null;
  const gap = objective === null ? null : gapOf(objective, bound);
  const attempts = search.starts.length + 1;
  return (
    <ChartFigure
      id="search"
      title="Search"
      subject={search.isLog ? "logarithmic" : undefined}
      class="search-chart"
      summary={summaryOf(search)}
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
          <li>
            <span class="legend-label">{search.found === 1 ? "solution" : "solutions"}</span>{" "}
            <strong>{count(search.found)}</strong>
          </li>
          {attempts > 1 && (
            <li>
              <span class="legend-key legend-attempt" aria-hidden="true" />
              <span class="legend-label">attempt</span>{" "}
              <strong>{at === null ? attempts : attemptAt(search, at)}</strong>
            </li>
          )}
        </ul>
      }
    >
      <div ref={box} class="chart-box" />
    </ChartFigure>
  );
}

function summaryOf({ found, objective, bound, starts }: Search): string {
  const best = `objective ${words(objective.at(-1))}, bound ${words(bound.at(-1))}`;
  const told = starts.length === 0 ? "" : ` in ${starts.length + 1} attempts`;
  return `${found} found${told}; ${best}`;
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

/** @param drawn what is shown by now: the chart asks again and again */
function kindOf(drawn: { readonly current: Drawn }): PlotKind {
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  const { isLog } = drawn.current.search;
  return {
    height: HEIGHT,
    x: {
      ticks: (ticks) => ticks.map((tick) => (isAtEdge(tick, drawn.current) ? "" : roundTime(tick))),
      steps: STEPS_MS,
      moment: sinceStart,
    },
    y: {
      range: () => {
        const [at, objective, bound] = columnsOf(drawn.current.search);
        const [low, high] = rangeOf(at, objective, bound, drawn.current.extent);
        return [low, high];
      },
    },
    yAxis: {
      values: (_chart, ticks) => labelsOf(ticks, (tick) => plainNumber(isLog ? 10 ** tick : tick)),
      size: AXIS_PX,
    },
    series: (palette) => [
      line(palette("--series-1"), 2, stepped),
      line(palette("--series-2"), 1.5, stepped),
    ],
    bands: (palette) => [{ series: [1, 2], fill: withAlpha(palette("--series-1"), 0.12) }],
    drawBelow: (chart, _shown, palette) => {
      drawStarts(chart, drawn.current.search, palette);
    },
  };
}

/** So near to the right edge that its words would be cut off. */
function isAtEdge(tick: number, { extent, widthPx }: Drawn): boolean {
  const { from, to } = extent;
  return ((to - tick) / (to - from)) * widthPx < HALF_LABEL_PX - MARGIN_RIGHT_PX;
}

const HALF_LABEL_PX = 24;
const NUMBER_PX = 18;

/** A dashed line where a further attempt was begun, with its number where there is room. */
function drawStarts(chart: uPlot, { starts }: Search, palette: Palette): void {
  const { ctx, bbox } = chart;
  const ratio = devicePixelRatio;
  let free = bbox.left;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = palette("--muted");
  ctx.lineWidth = ratio;
  ctx.setLineDash([3 * ratio, 3 * ratio]);
  ctx.font = `${11 * ratio}px ${FONT}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "top";
  for (const [place, start] of starts.entries()) {
    const x = Math.round(chart.valToPos(start, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (x < free) continue;
    ctx.fillText(String(place + 2), x + 4 * ratio, bbox.top);
    free = x + NUMBER_PX * ratio;
  }
  ctx.restore();
}

function sinceStart(ms: number): string {
  return ms === 0 ? "0" : ms < MINUTE ? duration(ms) : longSpan(ms);
}

const SECOND = 1000;
const STEPS_MS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800].map((step) => step * SECOND),
  ...[1, 2, 4, 6, 12, 24, 48].map((step) => step * 60 * MINUTE),
];

/** As exact as the axis is fine: 1.25 s */
function roundTime(ms: number): string {
  return ms === 0 ? "0" : ms < MINUTE ? `${ms / SECOND} s` : longSpan(ms);
}

type Columns = readonly [at: readonly number[], objective: Column, bound: Column];

function columnsOf({ at, objective, bound, isLog }: Search): Columns {
  return isLog ? [at, magnitudes(objective), magnitudes(bound)] : [at, objective, bound];
}

/** A bound that has none is not drawn. */
function magnitudes(column: Column): Column {
  return column.map((value) => (value === null || value <= 0 ? null : Math.log10(value)));
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

function attemptAt({ starts }: Search, moment: number): number {
  return starts.filter((start) => start <= moment).length + 1;
}

function words(value: number | null | undefined): string {
  return typeof value === "number" ? plainNumber(value) : "–";
}
