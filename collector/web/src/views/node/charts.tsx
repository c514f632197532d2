/** Four charts of a machine's recent points. Loaded only when a machine is opened. */

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { exactMoment, clockTime } from "../../format/time";
import { brief, bytesPerSecond, percent, wholePercent } from "../../format/units";
import { theme } from "../../theme";
import type { Point, Values } from "../../wire/messages";
import { total } from "./readings";
import { columnsOf } from "./series";

interface Line {
  readonly label: string;
  readonly of: (values: Values) => number | undefined;
}

interface ChartSpec {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly format: (value: number | undefined) => string;
  readonly axis: (value: number) => string;
  /** The fixed top of the scale; without one it follows the figures. */
  readonly top?: number;
}

const CHARTS: readonly ChartSpec[] = [
  {
    title: "CPU",
    lines: [
      { label: "in use", of: (values) => values.get("cpu.pct") },
      { label: "kernel", of: (values) => values.get("cpu.system_pct") },
    ],
    format: percent,
    axis: wholePercent,
    top: 100,
  },
  {
    title: "Memory",
    lines: [
      { label: "memory", of: (values) => values.get("mem.pct") },
      { label: "swap", of: (values) => values.get("swap.pct") },
    ],
    format: percent,
    axis: wholePercent,
    top: 100,
  },
  {
    title: "Network",
    lines: [
      { label: "received", of: (values) => total(values, "net.rx_bytes_per_s") },
      { label: "sent", of: (values) => total(values, "net.tx_bytes_per_s") },
    ],
    format: bytesPerSecond,
    axis: (value) => brief(bytesPerSecond(value)),
  },
  {
    title: "Disk I/O",
    lines: [
      { label: "read", of: (values) => total(values, "disk.read_bytes_per_s") },
      { label: "written", of: (values) => total(values, "disk.write_bytes_per_s") },
    ],
    format: bytesPerSecond,
    axis: (value) => brief(bytesPerSecond(value)),
  },
];

const HEIGHT = 180;

export default function Charts({ points }: { readonly points: readonly Point[] }) {
  return (
    <div class="charts">
      {CHARTS.map((spec) => (
        <Chart key={spec.title} spec={spec} points={points} />
      ))}
    </div>
  );
}

function Chart({ spec, points }: { readonly spec: ChartSpec; readonly points: readonly Point[] }) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const last = points.at(-1);
  const columns = columnsOf(
    points,
    spec.lines.map((line) => line.of),
  ) as uPlot.AlignedData;
  const latest = useRef(columns);
  latest.current = columns;
  const colours = theme.value;

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const drawn = new uPlot(optionsOf(spec, element), latest.current, element);
    chart.current = drawn;
    const observer = new ResizeObserver(() => {
      drawn.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.destroy();
      chart.current = null;
    };
  }, [spec, colours]);

  useEffect(() => {
    chart.current?.setData(latest.current);
  }, [points]);

  return (
    <figure class="panel chart">
      <figcaption>
        <h2>{spec.title}</h2>
        <ul class="legend">
          {spec.lines.map((line, index) => (
            <li key={line.label}>
              <span class={`legend-key legend-${index + 1}`} aria-hidden="true" />
              {line.label} <strong>{spec.format(last && line.of(last.values))}</strong>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={box} class="chart-box" aria-hidden="true" />
    </figure>
  );
}

function optionsOf(spec: ChartSpec, element: HTMLElement): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour("--muted"),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth || 300,
    height: HEIGHT,
    padding: [8, 28, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: "node" } },
    scales: {
      y: { range: (_chart, _low, high) => [0, spec.top ?? Math.max(1000, (high || 0) * 1.1)] },
    },
    axes: [
      {
        ...axis,
        values: (_chart, ticks) => timesOf(ticks),
        size: 22,
        space: 70,
      },
      { ...axis, values: (_chart, ticks) => ticks.map(spec.axis), size: 64, space: 34 },
    ],
    series: [
      { value: (_chart, seconds: number) => exactMoment(seconds * 1000) },
      ...spec.lines.map(
        (line, index): uPlot.Series => ({
          label: line.label,
          stroke: colour(`--series-${index + 1}`),
          width: 1.5,
          ...(index === 0 && { fill: colour("--series-1-soft") }),
          points: { show: false },
        }),
      ),
    ],
    plugins: [tooltip(spec)],
  };
}

/** Seconds are worth saying only where ticks are closer than a minute. */
function timesOf(ticks: readonly number[]): string[] {
  const close = (ticks[1] ?? 60) - (ticks[0] ?? 0) < 60;
  return ticks.map((seconds) =>
    close ? exactMoment(seconds * 1000).slice(-8) : clockTime(seconds * 1000),
  );
}

/** The figures under the cursor. Built from text nodes: labels and numbers, nothing parsed. */
function tooltip(spec: ChartSpec): uPlot.Plugin {
  const bubble = document.createElement("div");
  bubble.className = "chart-tip";
  return {
    hooks: {
      init: (chart) => {
        chart.over.append(bubble);
      },
      setCursor: (chart) => {
        const at = chart.cursor.idx ?? -1;
        const seconds = chart.data[0][at];
        bubble.hidden = seconds === undefined;
        if (seconds === undefined) return;
        const figures = spec.lines.map(
          (line, index) => `${line.label} ${spec.format(chart.data[index + 1]?.[at] ?? undefined)}`,
        );
        bubble.textContent = [exactMoment(seconds * 1000).slice(-8), ...figures].join("  ");
        const left = chart.cursor.left ?? 0;
        const flips = left > chart.over.clientWidth / 2;
        bubble.style.transform = `translateX(${left + (flips ? -10 : 10)}px) translateX(${flips ? "-100%" : "0"})`;
      },
    },
  };
}
