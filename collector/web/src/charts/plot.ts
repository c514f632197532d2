/** A uPlot in a box: made when the box comes into sight, drawn anew when there is news. */

import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { exactMoment } from "../format/time";
import { theme } from "../theme";
import type { ChartColumns } from "./columns";
import { useShown, type Shown } from "./context";
import { cursor } from "./cursor";
import { useInSight } from "./in-sight";
import { drawReboots, shadeSilences } from "./marks";
import { FONT, paletteOf, type Palette } from "./palette";
import { tickWords } from "./time-axis";

/** Every chart leaves as much at its sides, so that moments stand above each other. */
export const AXIS_PX = 62;
export const MARGIN_RIGHT_PX = 14;
const TIME_AXIS_PX = 22;

/** What is particular to one kind of chart. */
export interface PlotKind {
  readonly height: number;
  /** How places on the horizontal axis are told, where they are no moments. */
  readonly x?: {
    readonly ticks: (ticks: readonly number[], step: number) => string[];
    /** How far ticks may be apart. */
    readonly steps: number[];
    readonly moment: (at: number) => string;
  };
  readonly series: (palette: Palette) => uPlot.Series[];
  readonly bands?: (palette: Palette) => uPlot.Band[];
  readonly y: uPlot.Scale;
  readonly yAxis: uPlot.Axis;
  /** Between the grid and the lines. */
  readonly drawBelow?: (chart: uPlot, shown: Shown, palette: Palette) => void;
  readonly drawAbove?: (chart: uPlot, shown: Shown, palette: Palette) => void;
  readonly onPoint?: (chart: uPlot) => void;
}

/** @param identity the chart is made anew when this is another; `kind` may be a new object */
export function usePlot(
  box: RefObject<HTMLElement | null>,
  kind: PlotKind,
  columns: () => ChartColumns,
  identity: string,
): RefObject<uPlot | null> {
  const chart = useRef<uPlot>(null);
  const shown = useShown();
  const latest = useRef({ shown, kind, columns });
  latest.current = { shown, kind, columns };
  const inSight = useInSight(box);
  const colours = theme.value;

  useLayoutEffect(() => {
    const element = box.current;
    if (!element || !inSight) return;
    const drawn = new uPlot(optionsOf(element, latest), latest.current.columns() as Data, element);
    chart.current = drawn;
    const observer = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width > 0 && width !== drawn.width) {
        drawn.setSize({ width, height: latest.current.kind.height });
      }
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.destroy();
      chart.current = null;
    };
  }, [identity, colours, inSight]);

  const fresh = useRef<uPlot>(null);
  useLayoutEffect(() => {
    const drawn = chart.current;
    // What was made in this same turn has these data already.
    if (drawn && fresh.current === drawn) drawn.setData(latest.current.columns() as Data);
    fresh.current = drawn;
  }, [shown, inSight]);

  useEffect(() => followCursor(chart), []);
  return chart;
}

type Data = uPlot.AlignedData;

interface Latest {
  readonly current: { readonly shown: Shown; readonly kind: PlotKind };
}

function optionsOf(element: HTMLElement, latest: Latest): uPlot.Options {
  const palette = paletteOf(element);
  const { kind } = latest.current;
  const axis: uPlot.Axis = {
    stroke: palette("--muted"),
    font: `11px ${FONT}`,
    grid: { stroke: palette("--grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth || 300,
    height: kind.height,
    ms: 1,
    padding: [8, MARGIN_RIGHT_PX, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false, dist: 5 },
      bind: {
        dblclick: () => () => {
          latest.current.shown.onBack();
          return null;
        },
      },
    },
    scales: {
      x: {
        range: () => {
          const { from, to } = latest.current.shown.extent;
          return [from, to];
        },
      },
      y: kind.y,
    },
    axes: [
      {
        ...axis,
        values: (_chart, ticks, _axis, _space, step) => (kind.x?.ticks ?? tickWords)(ticks, step),
        size: TIME_AXIS_PX,
        ...(kind.x && { incrs: kind.x.steps }),
        space: 76,
        gap: 4,
      },
      { ...axis, size: AXIS_PX, gap: 6, space: 30, ...kind.yAxis },
    ],
    series: [{}, ...kind.series(palette)],
    ...(kind.bands && { bands: kind.bands(palette) }),
    plugins: [
      {
        hooks: {
          drawClear: (chart) => {
            shadeSilences(chart, latest.current.shown.marks, palette);
          },
          drawAxes: (chart) => {
            latest.current.kind.drawBelow?.(chart, latest.current.shown, palette);
          },
          draw: (chart) => {
            latest.current.kind.drawAbove?.(chart, latest.current.shown, palette);
            drawReboots(chart, latest.current.shown.marks, palette);
          },
        },
      },
      zooming(latest),
      pointing(latest),
    ],
  };
}

/** A stretch that is marked with the pointer is the next one looked at. */
function zooming(latest: Latest): uPlot.Plugin {
  return {
    hooks: {
      setSelect: (chart) => {
        const { left, width } = chart.select;
        chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        if (width < 4) return;
        const at = (px: number) => chart.posToVal(px, "x");
        latest.current.shown.onZoom(at(left), at(left + width));
      },
    },
  };
}

/** The pointer in this chart sets the cursor of all; in this one the moment stands beside it. */
function pointing(latest: Latest): uPlot.Plugin {
  const bubble = document.createElement("div");
  bubble.className = "chart-moment";
  bubble.hidden = true;
  let inside = false;
  return {
    hooks: {
      init: (chart) => {
        chart.over.append(bubble);
        chart.over.addEventListener("pointerenter", () => {
          inside = true;
        });
        chart.over.addEventListener("pointerleave", () => {
          inside = false;
          bubble.hidden = true;
          cursor.value = null;
        });
      },
      setCursor: (chart) => {
        if (!inside) return;
        const left = chart.cursor.left ?? -1;
        bubble.hidden = left < 0;
        if (left < 0) return;
        const at = chart.posToVal(left, "x");
        bubble.textContent = (latest.current.kind.x?.moment ?? exactMoment)(at);
        const half = 62;
        const middle = Math.min(Math.max(left, half - AXIS_PX), chart.over.clientWidth - half);
        bubble.style.transform = `translateX(${middle}px) translateX(-50%)`;
        latest.current.kind.onPoint?.(chart);
        cursor.value = at;
      },
    },
  };
}

function followCursor(chart: RefObject<uPlot | null>): () => void {
  let turn = 0;
  const stop = cursor.subscribe((at) => {
    cancelAnimationFrame(turn);
    turn = requestAnimationFrame(() => {
      const drawn = chart.current;
      if (!drawn || drawn.over.matches(":hover")) return;
      const left = at === null ? -10 : drawn.valToPos(at, "x");
      drawn.setCursor({ left, top: at === null ? -10 : 1 }, false);
    });
  });
  return () => {
    cancelAnimationFrame(turn);
    stop();
  };
}
