/** Which charts a machine's page has: made from the series there are. The names are metrics.py's. */

import type { ChartSpec, Colour, Line, Unit } from "../../charts/spec";
import { plural } from "../../format/units";
import { inOrder, instanceKeys, instanceOf, metricOf, shownInstance } from "../../history/keys";
import { spreadOf } from "../../history/stats";
import type { Timeline } from "../../history/timeline";

export interface Section {
  readonly title: string;
  readonly charts: readonly ChartSpec[];
}

/** As many lines as can be told apart. */
const MOST_LINES = 8;
const CATEGORIES: readonly Colour[] = Array.from(
  { length: MOST_LINES },
  (_, index): Colour => `--series-${index + 1}`,
);

/** What has a place of its own on the page; whatever else comes is of a newer agent. */
const PLACED = new Set([
  "cpu.pct",
  "cpu.user_pct",
  "cpu.system_pct",
  "cpu.iowait_pct",
  "cpu.core_pct",
  "load.1m",
  "load.5m",
  "load.15m",
  "mem.total_bytes",
  "mem.used_bytes",
  "mem.available_bytes",
  "mem.pct",
  "swap.total_bytes",
  "swap.used_bytes",
  "swap.pct",
  "disk.total_bytes",
  "disk.used_bytes",
  "disk.pct",
  "disk.read_bytes_per_s",
  "disk.write_bytes_per_s",
  "disk.reads_per_s",
  "disk.writes_per_s",
  "net.rx_bytes_per_s",
  "net.tx_bytes_per_s",
  "temp.celsius",
  "battery.pct",
  "battery.on_ac",
  "gpu.pct",
  "gpu.mem_total_bytes",
  "gpu.mem_used_bytes",
  "gpu.celsius",
  "gpu.watts",
  "proc.count",
  "uptime.s",
  "agent.spool_bytes",
  "agent.dropped_snapshots",
]);

export function coreKeys(timeline: Timeline): string[] {
  return instanceKeys(timeline.tracks.keys(), "cpu.core_pct");
}

export function sectionsOf(timeline: Timeline, cores: number): readonly Section[] {
  const keys = [...timeline.tracks.keys()];
  return [
    { title: "Processor", charts: [...cpu(timeline), ...load(timeline, cores)] },
    { title: "Memory", charts: [...memory(timeline), ...processes(timeline)] },
    { title: "Network", charts: interfaces(keys) },
    { title: "Disks", charts: [...fileSystems(timeline, keys), ...disks(keys)] },
    { title: "Graphics", charts: graphics(timeline, keys) },
    { title: "Sensors", charts: [...temperatures(timeline, keys), ...battery(timeline)] },
    { title: "Agent", charts: agent(timeline) },
    { title: "Other", charts: others(timeline, keys) },
  ]
    .filter(({ charts }) => charts.length > 0)
    .map(({ title, charts }) => ({ title, charts: inFullRows(charts) }));
}

/** Of two in a row: one that would stand alone takes the row. */
function inFullRows(charts: readonly ChartSpec[]): readonly ChartSpec[] {
  const narrow = charts.filter(({ wide }) => !wide);
  const alone = narrow.length % 2 === 1 ? narrow.at(-1) : undefined;
  return charts.map((chart) => (chart === alone ? { ...chart, wide: true } : chart));
}

function cpu(timeline: Timeline): ChartSpec[] {
  const parts = present(timeline, [
    { key: "cpu.user_pct", label: "user", colour: "--cpu-user" },
    { key: "cpu.system_pct", label: "system", colour: "--cpu-system" },
    { key: "cpu.iowait_pct", label: "iowait", colour: "--cpu-iowait" },
  ]);
  const common = { id: "cpu", title: "CPU", unit: "percent", scale: "share" } as const;
  if (parts.length > 0) {
    return [{ ...common, shape: "stack", lines: parts, peak: "cpu.pct" }];
  }
  const whole = present(timeline, [
    { key: "cpu.pct", label: "in use", colour: "--cpu-user", area: true },
  ]);
  return whole.length > 0 ? [{ ...common, shape: "lines", lines: whole }] : [];
}

function load(timeline: Timeline, cores: number): ChartSpec[] {
  const lines = present(timeline, [
    { key: "load.1m", label: "1 min", colour: "--load-1" },
    { key: "load.5m", label: "5 min", colour: "--load-5" },
    { key: "load.15m", label: "15 min", colour: "--load-15" },
  ]);
  if (lines.length === 0) return [];
  const guide = cores > 0 && { guide: { value: cores, label: plural(cores, "core") } };
  return [
    { id: "load", title: "Load", unit: "load", shape: "lines", scale: "free", lines, ...guide },
  ];
}

function memory(timeline: Timeline): ChartSpec[] {
  const lines = present(timeline, [
    {
      key: "mem.pct",
      label: "memory",
      colour: "--memory",
      area: true,
      also: { key: "mem.used_bytes", unit: "memory" },
    },
    {
      key: "swap.pct",
      label: "swap",
      colour: "--swap",
      also: { key: "swap.used_bytes", unit: "memory" },
    },
  ]);
  if (lines.length === 0) return [];
  return [
    {
      id: "memory",
      title: "Memory and swap",
      unit: "percent",
      shape: "lines",
      scale: "whole",
      lines,
    },
  ];
}

function processes(timeline: Timeline): ChartSpec[] {
  const lines = present(timeline, [
    { key: "proc.count", label: "running", colour: "--series-3", area: true },
  ]);
  if (lines.length === 0) return [];
  return [
    { id: "processes", title: "Processes", unit: "count", shape: "lines", scale: "free", lines },
  ];
}

function interfaces(keys: readonly string[]): ChartSpec[] {
  return mirrors(keys, {
    metrics: ["net.rx_bytes_per_s", "net.tx_bytes_per_s"],
    labels: ["received", "sent"],
    id: "net",
    title: "Traffic",
    unit: "bytesPerSecond",
  });
}

function disks(keys: readonly string[]): ChartSpec[] {
  const throughput = mirrors(keys, {
    metrics: ["disk.read_bytes_per_s", "disk.write_bytes_per_s"],
    labels: ["read", "written"],
    id: "disk",
    title: "Throughput",
    unit: "bytesPerSecond",
  });
  const operations = mirrors(keys, {
    metrics: ["disk.reads_per_s", "disk.writes_per_s"],
    labels: ["reads", "writes"],
    id: "operations",
    title: "Operations",
    unit: "perSecond",
  });
  // A disk's two charts stand side by side.
  return [...throughput, ...operations].sort((a, b) =>
    inOrder(a.subject ?? "", b.subject ?? ""),
  );
}

interface Mirror {
  readonly metrics: readonly [up: string, down: string];
  readonly labels: readonly [up: string, down: string];
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
}

/** A chart for each instance: what comes in upward, what goes out downward. */
function mirrors(keys: readonly string[], mirror: Mirror): ChartSpec[] {
  const [up, down] = mirror.metrics;
  const instances = new Set([...instanceKeys(keys, up), ...instanceKeys(keys, down)].map(instanceOf));
  return [...instances].sort(inOrder).map((instance) => ({
    id: `${mirror.id}-${instance}`,
    title: mirror.title,
    subject: shownInstance(`${up}/${instance}`),
    unit: mirror.unit,
    shape: "mirror",
    scale: "free",
    lines: [
      { key: `${up}/${instance}`, label: mirror.labels[0], colour: "--in", area: true },
      {
        key: `${down}/${instance}`,
        label: mirror.labels[1],
        colour: "--out",
        area: true,
        below: true,
      },
    ],
  }));
}

function fileSystems(timeline: Timeline, keys: readonly string[]): ChartSpec[] {
  const all = instanceKeys(keys, "disk.pct");
  if (all.length === 0) return [];
  return [
    {
      id: "file-systems",
      title: "File systems",
      unit: "percent",
      shape: "lines",
      scale: "whole",
      wide: true,
      ...categories(highest(timeline, all), (key) => ({
        also: { key: `disk.used_bytes/${instanceOf(key)}`, unit: "bytes" },
      })),
      more: Math.max(0, all.length - MOST_LINES),
    },
  ];
}

/** A line for each card in each chart. */
function graphics(timeline: Timeline, keys: readonly string[]): ChartSpec[] {
  const charts = [
    { metric: "gpu.pct", title: "GPU", unit: "percent", scale: "whole" },
    { metric: "gpu.mem_used_bytes", title: "GPU memory", unit: "memory", scale: "free" },
    { metric: "gpu.celsius", title: "GPU temperature", unit: "celsius", scale: "level" },
    { metric: "gpu.watts", title: "GPU power", unit: "watts", scale: "free" },
  ] as const;
  return charts.flatMap(({ metric, title, unit, scale }): ChartSpec[] => {
    const all = instanceKeys(keys, metric);
    if (all.length === 0) return [];
    const lines = categories(highest(timeline, all));
    const more = Math.max(0, all.length - MOST_LINES);
    return [{ id: metric, title, unit, shape: "lines", scale, ...lines, more }];
  });
}

function temperatures(timeline: Timeline, keys: readonly string[]): ChartSpec[] {
  const all = instanceKeys(keys, "temp.celsius");
  if (all.length === 0) return [];
  return [
    {
      id: "temperatures",
      title: all.length > MOST_LINES ? "Hottest sensors" : "Temperatures",
      unit: "celsius",
      shape: "lines",
      scale: "level",
      ...categories(highest(timeline, all)),
      more: Math.max(0, all.length - MOST_LINES),
    },
  ];
}

function battery(timeline: Timeline): ChartSpec[] {
  const lines = present(timeline, [
    { key: "battery.pct", label: "charge", colour: "--series-6", area: true },
  ]);
  if (lines.length === 0) return [];
  return [
    { id: "battery", title: "Battery", unit: "percent", shape: "lines", scale: "whole", lines },
  ];
}

/** Only where there is something to see: a spool that was filled, snapshots that were dropped. */
function agent(timeline: Timeline): ChartSpec[] {
  const charts = [
    { key: "agent.spool_bytes", title: "Waiting in the spool", label: "waiting", unit: "bytes" },
    {
      key: "agent.dropped_snapshots",
      title: "Dropped snapshots",
      label: "dropped",
      unit: "count",
    },
  ] as const;
  return charts.flatMap(({ key, title, label, unit }): ChartSpec[] => {
    const track = timeline.tracks.get(key);
    const spread = track && spreadOf(track, 0, timeline.ts.length);
    if (!spread || spread.max <= 0) return [];
    const lines: Line[] = [{ key, label, colour: "--series-2", area: true }];
    return [{ id: key, title, unit, shape: "lines", scale: "free", lines }];
  });
}

/** Metrics that this page does not know, each with its instances as lines. */
function others(timeline: Timeline, keys: readonly string[]): ChartSpec[] {
  const unknown = new Map<string, string[]>();
  for (const key of keys) {
    const metric = metricOf(key);
    if (PLACED.has(metric)) continue;
    unknown.set(metric, [...(unknown.get(metric) ?? []), key]);
  }
  return [...unknown].sort(([a], [b]) => inOrder(a, b)).map(([metric, ofMetric]) => ({
    id: `other-${metric}`,
    title: "",
    subject: metric,
    unit: unitOf(metric),
    shape: "lines",
    scale: "level",
    ...categories(highest(timeline, ofMetric)),
    more: Math.max(0, ofMetric.length - MOST_LINES),
  }));
}

/** Names of metrics end with their unit. */
function unitOf(metric: string): Unit {
  return UNIT_ENDINGS.find(([ending]) => metric.endsWith(ending))?.[1] ?? "plain";
}

const UNIT_ENDINGS: readonly (readonly [ending: string, unit: Unit])[] = [
  ["_bytes_per_s", "bytesPerSecond"],
  ["_per_s", "perSecond"],
  ["_bytes", "bytes"],
  ["pct", "percent"],
  ["celsius", "celsius"],
  ["watts", "watts"],
  [".s", "span"],
];

/** Those that reach highest in what is there, in their own order. */
function highest(timeline: Timeline, keys: readonly string[]): string[] {
  const peak = (key: string) => {
    const track = timeline.tracks.get(key);
    return (track && spreadOf(track, 0, timeline.ts.length)?.max) ?? -Infinity;
  };
  if (keys.length <= MOST_LINES) return [...keys].sort(inOrder);
  return [...keys]
    .sort((a, b) => peak(b) - peak(a) || inOrder(a, b))
    .slice(0, MOST_LINES)
    .sort(inOrder);
}

function categories(
  keys: readonly string[],
  extra: (key: string) => Partial<Line> = () => ({}),
): { lines: Line[] } {
  return {
    lines: keys.map((key, index) => ({
      key,
      label: instanceOf(key) ? shownInstance(key) : "value",
      colour: CATEGORIES[index % MOST_LINES] ?? "--series-1",
      ...extra(key),
    })),
  };
}

function present(timeline: Timeline, lines: readonly Line[]): Line[] {
  return lines.filter(({ key }) => timeline.tracks.has(key));
}
