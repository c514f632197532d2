/** A chart of one or more series of a machine. */

import { useRef } from "preact/hooks";
import type uPlot from "uplot";
import { placesWithin } from "../history/timeline";
import { spreadOf } from "../history/stats";
import { isBucketed } from "../history/timeline";
import { columnsOf, drawnSeries, type Drawn } from "./columns";
import { useShown, type Shown } from "./context";
import { ChartFigure } from "./figure";
import { Legend } from "./legend";
import { isolated } from "./isolated";
import { withAlpha, type Palette } from "./palette";
import { AXIS_PX, usePlot, type PlotKind } from "./plot";
import { limitsOf } from "./scale";
import { UNITS, type ChartSpec } from "./spec";

const HEIGHT = 168;

export function Chart({ spec }: { readonly spec: ChartSpec }) {
  const box = useRef<HTMLDivElement>(null);
  const shown = useShown();
  const bucketed = isBucketed(shown.timeline);
  const drawn = drawnSeries(spec, bucketed);
  const chart = usePlot(
    box,
    kindOf(spec, drawn),
    () => columnsOf(spec, shown.timeline, drawn),
    `${JSON.stringify(spec)}${bucketed ? " bucketed" : ""}`,
  );
  return (
    <ChartFigure
      id={spec.id}
      title={spec.title}
      subject={spec.subject}
      class={spec.wide ? "chart-wide" : ""}
      summary={summaryOf(spec, shown)}
      canvas={() => chart.current?.ctx.canvas ?? null}
      legend={<Legend spec={spec} />}
    >
      <div ref={box} class="chart-box" />
    </ChartFigure>
  );
}

/** What the chart shows, for those who do not see it. */
function summaryOf(spec: ChartSpec, { timeline, extent }: Shown): string {
  const [first, end] = placesWithin(timeline, extent.from, extent.to);
  const { figure } = UNITS[spec.unit];
  const lines = spec.lines.flatMap(({ key, label }) => {
    const track = timeline.tracks.get(key);
    const spread = track && spreadOf(track, first, end);
    if (!spread) return [];
    const { mean, max, last } = spread;
    return [`${label} ${figure(last)}, on average ${figure(mean)}, at most ${figure(max)}`];
  });
  return lines.length > 0 ? lines.join("; ") : "no figures in this range";
}

function kindOf(spec: ChartSpec, drawn: readonly Drawn[]): PlotKind {
  const { axis } = UNITS[spec.unit];
  const mirrored = spec.shape === "mirror";
  return {
    height: HEIGHT,
    y: {
      range: (_chart, low, high) => limitsOf(spec, low, high),
    },
    yAxis: {
      values: (_chart, ticks) => ticks.map((value) => axis(mirrored ? Math.abs(value) : value)),
      size: AXIS_PX,
    },
    series: (palette) => drawn.map((one) => seriesOf(spec, one, palette)),
    bands: (palette) => bandsOf(spec, drawn, palette),
    drawBelow: (chart, _shown, palette) => {
      if (mirrored) drawLevel(chart, 0, palette("--line-strong"), []);
      if (spec.guide) drawLevel(chart, spec.guide.value, palette("--muted"), [4, 4]);
    },
  };
}

function seriesOf(spec: ChartSpec, { line, part }: Drawn, palette: Palette): uPlot.Series {
  const points: uPlot.Series.Points = { show: false, filter: isolated, size: 3, width: 0 };
  if (part === "peak") {
    return {
      stroke: withAlpha(palette("--text"), 0.45),
      width: 1,
      dash: [2, 3],
      points: { ...points, stroke: palette("--text"), fill: palette("--text") },
    };
  }
  if (part !== "avg") return { width: 0, points: { show: false } };
  const { colour, area } = spec.lines[line] ?? { colour: "--series-1" };
  const ink = palette(colour);
  const stacked = spec.shape === "stack";
  return {
    stroke: ink,
    width: stacked ? 1 : 1.5,
    ...((stacked || area) && { fill: withAlpha(ink, stacked ? 0.5 : 0.14) }),
    points: { ...points, stroke: ink, fill: ink },
  };
}

function bandsOf(spec: ChartSpec, drawn: readonly Drawn[], palette: Palette): uPlot.Band[] {
  // Column 0 is the time, so what is drawn first is series 1.
  if (spec.shape === "stack") {
    const count = spec.lines.length;
    return Array.from({ length: Math.max(0, count - 1) }, (_, index) => ({
      series: [index + 1, index + 2],
    }));
  }
  return drawn.flatMap(({ line, part }, index): uPlot.Band[] =>
    part === "max"
      ? [
          {
            series: [index + 1, index + 2],
            fill: withAlpha(palette(spec.lines[line]?.colour ?? "--series-1"), 0.2),
          },
        ]
      : [],
  );
}

function drawLevel(chart: uPlot, value: number, colour: string, dash: number[]): void {
  const { ctx, bbox } = chart;
  const y = Math.round(chart.valToPos(value, "y", true));
  if (y < bbox.top || y > bbox.top + bbox.height) return;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}
