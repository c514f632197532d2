/** The whole fleet in a few figures. Live figures count the machines that are not offline. */

import { metric, type CardMetric } from "./metric";
import { conditionOf, type Condition, type Fleet } from "./state";

export const BUCKETS = 20;

export interface Summary {
  readonly machines: number;
  readonly counts: Readonly<Record<Condition, number>>;
  /** Machines that report now. */
  readonly live: number;
  readonly cores: number;
  readonly cpu: Spread;
  readonly memory: Spread & { readonly usedBytes: number; readonly totalBytes: number };
  readonly disk: Spread;
  readonly receivedPerSecond: number;
  readonly sentPerSecond: number;
  readonly clocksWrong: number;
}

/** How one percentage is spread over machines. */
export interface Spread {
  /** undefined: no machine has it. */
  readonly mean: number | undefined;
  /** How many machines are in each twentieth of 0 to 100 %. */
  readonly buckets: readonly number[];
  /** The machine with the highest figure. */
  readonly top: { readonly id: string; readonly pct: number } | undefined;
  /** How many machines are at 90 % or more. */
  readonly high: number;
}

export const HIGH_PCT = 90;

export function summarise(fleet: Fleet): Summary {
  const counts: Record<Condition, number> = { online: 0, degraded: 0, offline: 0, off: 0 };
  let cores = 0;
  let usedBytes = 0;
  let totalBytes = 0;
  let receivedPerSecond = 0;
  let sentPerSecond = 0;
  let clocksWrong = 0;
  for (const machine of fleet.values()) {
    counts[conditionOf(machine)] += 1;
    if (machine.facts.clock_offset_ms !== null) clocksWrong += 1;
    if (machine.status === "offline") continue;
    const { facts, values } = machine;
    cores += facts.cpu_cores;
    const memoryPct = metric(values, "mem.pct");
    if (memoryPct !== undefined) {
      totalBytes += facts.mem_total_bytes;
      usedBytes += (facts.mem_total_bytes * memoryPct) / 100;
    }
    receivedPerSecond += metric(values, "net.rx_bytes_per_s") ?? 0;
    sentPerSecond += metric(values, "net.tx_bytes_per_s") ?? 0;
  }
  return {
    machines: fleet.size,
    counts,
    live: counts.online + counts.degraded,
    cores,
    cpu: spreadOf(fleet, "cpu.pct"),
    memory: { ...spreadOf(fleet, "mem.pct"), usedBytes, totalBytes },
    disk: spreadOf(fleet, "disk.pct"),
    receivedPerSecond,
    sentPerSecond,
    clocksWrong,
  };
}

function spreadOf(fleet: Fleet, name: CardMetric): Spread {
  const buckets = new Array<number>(BUCKETS).fill(0);
  let count = 0;
  let sum = 0;
  let high = 0;
  let top: Spread["top"];
  for (const machine of fleet.values()) {
    const pct = metric(machine.values, name);
    if (machine.status === "offline" || pct === undefined) continue;
    const bucket = Math.min(BUCKETS - 1, Math.max(0, Math.floor((pct / 100) * BUCKETS)));
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    count += 1;
    sum += pct;
    if (pct >= HIGH_PCT) high += 1;
    if (top === undefined || pct > top.pct) top = { id: machine.id, pct };
  }
  return { mean: count ? sum / count : undefined, buckets, top, high };
}

/** The tags in use, the most used first. */
export function tagCounts(fleet: Fleet): readonly (readonly [tag: string, machines: number])[] {
  const counts = new Map<string, number>();
  for (const machine of fleet.values()) {
    for (const tag of machine.facts.tags) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  }
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}
