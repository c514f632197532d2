/** A machine's latest values, grouped for reading. The names are those of metrics.py. */

import { longSpan } from "../../format/time";
import { bytes, bytesPerSecond, count, memory, percent } from "../../format/units";
import type { Values } from "../../wire/messages";

export interface Reading {
  readonly label: string;
  readonly figure: string;
  /** A share of a whole, to be drawn as a bar. */
  readonly pct?: number;
}

export interface ReadingGroup {
  readonly title: string;
  readonly readings: readonly Reading[];
}

type Format = (value: number) => string;

interface Row {
  readonly metric: string;
  readonly label: string;
  readonly format: Format;
}

const plainCount: Format = (value) => count(Math.round(value));
const twoDigits: Format = (value) => value.toFixed(2);

const SCALARS: readonly (readonly [title: string, rows: readonly Row[]])[] = [
  [
    "Processor",
    [
      { metric: "cpu.pct", label: "In use", format: percent },
      { metric: "cpu.user_pct", label: "User code", format: percent },
      { metric: "cpu.system_pct", label: "Kernel", format: percent },
      { metric: "cpu.iowait_pct", label: "Waiting for I/O", format: percent },
      { metric: "load.1m", label: "Load, 1 min", format: twoDigits },
      { metric: "load.5m", label: "Load, 5 min", format: twoDigits },
      { metric: "load.15m", label: "Load, 15 min", format: twoDigits },
      { metric: "proc.count", label: "Processes", format: plainCount },
      { metric: "uptime.s", label: "Up for", format: (seconds) => longSpan(seconds * 1000) },
    ],
  ],
  [
    "Memory",
    [
      { metric: "mem.pct", label: "In use", format: percent },
      { metric: "mem.used_bytes", label: "Used", format: memory },
      { metric: "mem.available_bytes", label: "Available", format: memory },
      { metric: "mem.total_bytes", label: "Total", format: memory },
      { metric: "swap.pct", label: "Swap in use", format: percent },
      { metric: "swap.used_bytes", label: "Swap used", format: memory },
    ],
  ],
  [
    "Power and agent",
    [
      { metric: "battery.pct", label: "Battery", format: percent },
      {
        metric: "battery.on_ac",
        label: "Mains power",
        format: (value) => (value ? "connected" : "on battery"),
      },
      { metric: "agent.spool_bytes", label: "Waiting in the spool", format: bytes },
      { metric: "agent.dropped_snapshots", label: "Snapshots dropped", format: plainCount },
    ],
  ],
];

export function readingGroups(values: Values): readonly ReadingGroup[] {
  const groups = SCALARS.map(([title, rows]) => ({
    title,
    readings: rows.flatMap(({ metric, label, format }): Reading[] => {
      const value = values.get(metric);
      if (value === undefined) return [];
      return [{ label, figure: format(value), ...(metric.endsWith("pct") && { pct: value }) }];
    }),
  }));
  return [
    ...groups.slice(0, 2),
    { title: "File systems", readings: fileSystems(values) },
    {
      title: "Disks, read · written",
      readings: pairs(values, "disk.read_bytes_per_s", "disk.write_bytes_per_s"),
    },
    {
      title: "Network, received · sent",
      readings: pairs(values, "net.rx_bytes_per_s", "net.tx_bytes_per_s"),
    },
    { title: "Temperatures", readings: temperatures(values) },
    ...groups.slice(2),
  ].filter((group) => group.readings.length > 0);
}

/** The values of one metric by instance: `disk.pct//home` is that of `/home`. */
export function instances(values: Values, metric: string): readonly (readonly [string, number])[] {
  const prefix = `${metric}/`;
  return Array.from(values)
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, value]): [string, number] => [key.slice(prefix.length), value])
    .sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
}

/** The sum over all instances; undefined where there are none. */
export function total(values: Values, metric: string): number | undefined {
  const parts = instances(values, metric);
  return parts.length === 0 ? undefined : parts.reduce((sum, [, value]) => sum + value, 0);
}

export function cores(values: Values): readonly number[] {
  return instances(values, "cpu.core_pct").map(([, pct]) => pct);
}

function fileSystems(values: Values): readonly Reading[] {
  return instances(values, "disk.pct").map(([mount, pct]) => {
    const used = values.get(`disk.used_bytes/${mount}`);
    const size = values.get(`disk.total_bytes/${mount}`);
    const figure =
      used === undefined || size === undefined ? percent(pct) : `${bytes(used)} of ${bytes(size)}`;
    return { label: mount, figure, pct };
  });
}

function pairs(values: Values, first: string, second: string): readonly Reading[] {
  return instances(values, first).map(([instance, value]) => ({
    label: instance,
    figure: `${bytesPerSecond(value)} · ${bytesPerSecond(values.get(`${second}/${instance}`))}`,
  }));
}

function temperatures(values: Values): readonly Reading[] {
  return instances(values, "temp.celsius").map(([sensor, celsius]) => ({
    label: sensor,
    figure: `${celsius.toFixed(1)} °C`,
  }));
}
