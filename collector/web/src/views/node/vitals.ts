/** The few figures of a machine that are read first. */

import { instanceKeys, instanceOf, shownInstance } from "../../history/keys";
import { longSpan } from "../../format/time";
import { bytes, bytesPerSecond, count, memory, partOf, percent } from "../../format/units";
import type { Values } from "../../wire/messages";

export interface Vital {
  readonly id: string;
  readonly label: string;
  readonly figure: string;
  readonly note: string;
  /** A share of a whole, to be drawn as a bar. */
  readonly pct?: number;
}

export function vitalsOf(values: Values, cores: number): readonly Vital[] {
  return [
    cpu(values),
    load(values, cores),
    ram(values),
    fullestFileSystem(values),
    traffic(values),
    diskTraffic(values),
    hottest(values),
    battery(values),
    uptime(values),
  ].filter((vital) => vital !== null);
}

function cpu(values: Values): Vital | null {
  const pct = values.get("cpu.pct");
  if (pct === undefined) return null;
  const iowait = values.get("cpu.iowait_pct");
  const note = iowait === undefined ? "in use" : `iowait ${percent(iowait)}`;
  return { id: "cpu", label: "CPU", figure: percent(pct), note, pct };
}

function load(values: Values, cores: number): Vital | null {
  const one = values.get("load.1m");
  if (one === undefined) return null;
  const note =
    cores > 0
      ? `${(one / cores).toFixed(2)} a core`
      : `${(values.get("load.15m") ?? one).toFixed(2)} in 15 min`;
  return { id: "load", label: "Load", figure: one.toFixed(2), note };
}

function ram(values: Values): Vital | null {
  const pct = values.get("mem.pct");
  if (pct === undefined) return null;
  const used = values.get("mem.used_bytes");
  const total = values.get("mem.total_bytes");
  const note =
    used === undefined || total === undefined ? "in use" : partOf(memory(used), memory(total));
  return { id: "memory", label: "Memory", figure: percent(pct), note, pct };
}

function fullestFileSystem(values: Values): Vital | null {
  const fullest = greatest(values, "disk.pct");
  if (!fullest) return null;
  const [key, pct] = fullest;
  const mount = instanceOf(key);
  const used = values.get(`disk.used_bytes/${mount}`);
  const total = values.get(`disk.total_bytes/${mount}`);
  const note = used === undefined || total === undefined ? "in use" : `${bytes(total - used)} free`;
  return { id: "disk", label: `Disk ${shownInstance(key)}`, figure: percent(pct), note, pct };
}

function traffic(values: Values): Vital | null {
  const received = total(values, "net.rx_bytes_per_s");
  const sent = total(values, "net.tx_bytes_per_s");
  if (received === undefined && sent === undefined) return null;
  return {
    id: "network",
    label: "Network",
    figure: `↓ ${bytesPerSecond(received)}`,
    note: `↑ ${bytesPerSecond(sent)}`,
  };
}

function diskTraffic(values: Values): Vital | null {
  const read = total(values, "disk.read_bytes_per_s");
  const written = total(values, "disk.write_bytes_per_s");
  if (read === undefined && written === undefined) return null;
  return {
    id: "disk-io",
    label: "Disk I/O",
    figure: `W ${bytesPerSecond(written)}`,
    note: `R ${bytesPerSecond(read)}`,
  };
}

function hottest(values: Values): Vital | null {
  const found = greatest(values, "temp.celsius");
  if (!found) return null;
  const [key, celsius] = found;
  return {
    id: "temperature",
    label: "Hottest",
    figure: `${celsius.toFixed(1)} °C`,
    note: shownInstance(key),
  };
}

function battery(values: Values): Vital | null {
  const pct = values.get("battery.pct");
  if (pct === undefined) return null;
  const onMains = values.get("battery.on_ac");
  const note = onMains === undefined ? "charged" : onMains ? "on mains power" : "on battery";
  return { id: "battery", label: "Battery", figure: percent(pct), note };
}

function uptime(values: Values): Vital | null {
  const seconds = values.get("uptime.s");
  if (seconds === undefined) return null;
  const processes = values.get("proc.count");
  const note = processes === undefined ? "" : `${count(Math.round(processes))} processes`;
  return { id: "uptime", label: "Up for", figure: longSpan(seconds * 1000), note };
}

/** The sum over all instances; undefined where there are none. */
export function total(values: Values, metric: string): number | undefined {
  const keys = instanceKeys(values.keys(), metric);
  return keys.length === 0
    ? undefined
    : keys.reduce((sum, key) => sum + (values.get(key) ?? 0), 0);
}

function greatest(values: Values, metric: string): readonly [key: string, value: number] | null {
  let found: readonly [string, number] | null = null;
  for (const key of instanceKeys(values.keys(), metric)) {
    const value = values.get(key) ?? 0;
    if (!found || value > found[1]) found = [key, value];
  }
  return found;
}
