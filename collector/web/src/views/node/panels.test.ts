import { describe, expect, it } from "vitest";
import { snapshots } from "../../history/samples";
import { around } from "./neighbours";
import { coreKeys, sectionsOf } from "./panels";
import { vitalsOf } from "./vitals";

const timeline = snapshots([0], {
  "cpu.pct": [12],
  "cpu.user_pct": [8],
  "cpu.system_pct": [4],
  "cpu.core_pct/10": [1],
  "cpu.core_pct/2": [1],
  "mem.pct": [50],
  "net.rx_bytes_per_s/eth0": [1000],
  "net.tx_bytes_per_s/eth0": [10],
  "net.rx_bytes_per_s/wg0": [24],
  "disk.pct//": [60],
  "disk.used_bytes//": [6e10],
  "disk.total_bytes//": [1e11],
  "disk.pct//srv/a b": [95],
  "disk.read_bytes_per_s/sda": [1],
  "disk.reads_per_s/sda": [1],
  "agent.spool_bytes": [0],
  "gpu.pct/RTX": [40],
  "gpu.mem_used_bytes/RTX": [5e9],
  "gpu.mem_total_bytes/RTX": [8e9],
  "gpu.celsius/RTX": [60],
  "gpu.watts/RTX": [120],
  "npu.mem_bytes/0": [5],
  "npu.mem_bytes/1": [6],
});

describe("the charts of a machine", () => {
  const sections = sectionsOf(timeline, 4);

  it("are of what there is, in their sections", () => {
    expect(sections.map(({ title, charts }) => [title, charts.map(({ id }) => id)])).toEqual([
      ["Processor", ["cpu"]],
      ["Memory", ["memory"]],
      ["Network", ["net-eth0", "net-wg0"]],
      ["Disks", ["file-systems", "disk-sda", "operations-sda"]],
      ["Graphics", ["gpu.pct", "gpu.mem_used_bytes", "gpu.celsius", "gpu.watts"]],
      ["Other", ["other-npu.mem_bytes"]],
    ]);
  });

  it("show what a newer agent sends by its name, in the unit it ends with", () => {
    const other = sections.at(-1)?.charts[0];
    expect(other).toMatchObject({ title: "", subject: "npu.mem_bytes", unit: "bytes" });
    expect(other?.lines.map(({ label }) => label)).toEqual(["0", "1"]);
  });

  it("take no more lines than can be told apart, those that reach highest", () => {
    const sensors = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [`temp.celsius/s${index}`, [30 + index]]),
    );
    const chart = sectionsOf(snapshots([0], sensors), 0)[0]?.charts[0];
    expect(chart?.lines.map(({ label }) => label)).toEqual(
      Array.from({ length: 8 }, (_, index) => `s${12 + index}`),
    );
    expect(chart?.more).toBe(12);
  });

  it("have the cores in the order in which people count", () => {
    expect(coreKeys(timeline)).toEqual(["cpu.core_pct/2", "cpu.core_pct/10"]);
  });
});

it("puts the figures that matter first, and leaves out what is not there", () => {
  const values = new Map(Array.from(timeline.tracks, ([key, { avg }]) => [key, avg[0] ?? 0]));
  const vitals = vitalsOf(values, 4);
  expect(vitals.map(({ id, figure, note }) => [id, figure, note])).toEqual([
    ["cpu", "12.0 %", "in use"],
    ["memory", "50.0 %", "in use"],
    ["disk", "95.0 %", "in use"],
    ["network", "↓ 1.02 kB/s", "↑ 10 B/s"],
    ["disk-io", "W –", "R 1 B/s"],
  ]);
});

it("finds the machines before and after one", () => {
  expect(around(["a", "b", "c"], "b")).toEqual({ before: "a", after: "c", position: 2, count: 3 });
  expect(around(["a"], "a")).toMatchObject({ before: null, after: null });
  expect(around(["a"], "x")).toMatchObject({ before: null, after: null, position: 0 });
});
