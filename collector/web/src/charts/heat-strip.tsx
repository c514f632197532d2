/** Every core as a row, time to the right, how busy it was as a colour. */

import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import type uPlot from "uplot";
import { coreName } from "../history/keys";
import { drawnAt, placeAt, type Timeline } from "../history/timeline";
import type { Column } from "../wire/history";
import type { ChartColumns } from "./columns";
import { useShown, type Shown } from "./context";
import { pointedCore } from "./cursor";
import { ChartFigure } from "./figure";
import { rampIndex, rampOf, type Ramp } from "./heat";
import type { Palette } from "./palette";
import { usePlot, type PlotKind } from "./plot";

interface HeatStripProps {
  readonly keys: readonly string[];
  readonly summary: string;
  readonly legend: ComponentChildren;
  readonly actions: ComponentChildren;
  /** What is said of the core that is pointed at. */
  readonly note: string | null;
  /** Stands below the strip. */
  readonly children: ComponentChildren;
}

/** What a chart of so many cores needs around its rows: the time axis, and room at the top. */
const AROUND_PX = 30;

export function HeatStrip(props: HeatStripProps) {
  const { keys, summary, legend, actions, note, children } = props;
  const box = useRef<HTMLDivElement>(null);
  const { timeline } = useShown();
  const chart = usePlot(box, kindOf(keys), () => columnsOf(timeline), `cores ${keys.length}`);
  return (
    <ChartFigure
      id="cores"
      class="chart-wide"
      title="Cores"
      summary={summary}
      canvas={() => chart.current?.ctx.canvas ?? null}
      legend={legend}
      actions={actions}
      below={
        <>
          <p class="core-note">
            {note ?? (
              <span class="heat-scale">
                0 % <span class="heat-ramp" aria-hidden="true" /> 100 %
              </span>
            )}
          </p>
          {children}
        </>
      }
    >
      <div
        ref={box}
        class="chart-box"
        onPointerLeave={() => {
          pointedCore.value = null;
        }}
      />
    </ChartFigure>
  );
}

/** Few cores share what any chart is high. */
const LEAST_ROWS_PX = 96;

function rowsHeight(cores: number): number {
  return Math.max(cores * 2, Math.min(cores * 18, 168), LEAST_ROWS_PX);
}

/** No line: the picture is drawn by hand, the time axis is the chart's. */
function columnsOf({ ts, stepMs }: Timeline): ChartColumns {
  const nothing: Column = new Array<null>(ts.length).fill(null);
  return [ts.map((at) => drawnAt(at, stepMs)), nothing];
}

function kindOf(keys: readonly string[]): PlotKind {
  const count = keys.length;
  return {
    height: rowsHeight(count) + AROUND_PX,
    // The first core is at the top.
    y: { range: [0, count], dir: -1, auto: false },
    yAxis: {
      grid: { show: false },
      splits: () => labelled(count),
      values: (_chart, ticks) => ticks.map((place) => coreName(keys[Math.floor(place)])),
    },
    series: () => [{ points: { show: false } }],
    drawBelow: (chart, shown, palette) => {
      paint(chart, shown, keys, palette);
    },
    onPoint: (chart) => {
      const at = chart.posToVal(chart.cursor.top ?? -1, "y");
      pointedCore.value = at >= 0 && at < count ? Math.floor(at) : null;
    },
  };
}

/** The middles of the rows that are named: so many as there is room for. */
function labelled(count: number): number[] {
  const most = Math.max(1, Math.floor(rowsHeight(count) / 16));
  const step = [1, 2, 4, 8, 16, 32, 64].find((each) => count / each <= most) ?? 64;
  return Array.from({ length: Math.ceil(count / step) }, (_, index) => index * step + 0.5);
}

function paint(
  chart: uPlot,
  { timeline, extent }: Shown,
  keys: readonly string[],
  palette: Palette,
): void {
  const { ctx, bbox } = chart;
  const width = Math.max(1, Math.round(bbox.width / devicePixelRatio));
  const picture = document.createElement("canvas");
  picture.width = width;
  picture.height = keys.length;
  const pen = picture.getContext("2d");
  if (!pen) return;
  const image = pen.createImageData(width, keys.length);
  const ramp = rampOf(palette);
  const places = placesOf(timeline, extent.from, extent.to, width);
  for (const [row, key] of keys.entries()) {
    const column = timeline.tracks.get(key)?.avg;
    if (column) paintRow(image.data, row * width * 4, column, places, ramp);
  }
  pen.putImageData(image, 0, 0);
  ctx.save();
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(picture, bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.restore();
}

function paintRow(
  pixels: Uint8ClampedArray,
  start: number,
  column: Column,
  places: Int32Array,
  ramp: Ramp,
): void {
  let at = start;
  for (const place of places) {
    const pct = place < 0 ? null : column[place];
    if (typeof pct === "number") {
      const colour = rampIndex(pct);
      pixels[at] = ramp[colour] ?? 0;
      pixels[at + 1] = ramp[colour + 1] ?? 0;
      pixels[at + 2] = ramp[colour + 2] ?? 0;
      pixels[at + 3] = 255;
    }
    at += 4;
  }
}

/** For each column of the picture the place in the timeline that it shows, -1 where there is none. */
function placesOf(timeline: Timeline, from: number, to: number, width: number): Int32Array {
  const places = new Int32Array(width);
  const { ts, stepMs, gapMs } = timeline;
  for (let x = 0; x < width; x += 1) {
    const at = from + ((x + 0.5) / width) * (to - from);
    const place = placeAt(timeline, at);
    const distance = Math.abs(drawnAt(ts[place] ?? 0, stepMs) - at);
    // No two places are farther apart than a gap, but where there is one.
    places[x] = distance <= (stepMs > 1 ? Math.max(stepMs / 2, gapMs / 3) : gapMs / 2) ? place : -1;
  }
  return places;
}
