import { expect, it } from "vitest";
import { card, facts, figures, fleetOf } from "./samples";
import { summarise, tagCounts } from "./summary";

const FLEET = fleetOf(
  card("a", {
    values: figures({ "cpu.pct": 10, "mem.pct": 50, "disk.pct": 95, "net.rx_bytes_per_s": 100 }),
    facts: facts({ cpu_cores: 8, mem_total_bytes: 1000, tags: ["lab"] }),
  }),
  card("b", {
    status: "degraded",
    values: figures({ "cpu.pct": 100, "mem.pct": 25, "net.tx_bytes_per_s": 7 }),
    facts: facts({
      cpu_cores: 2,
      mem_total_bytes: 3000,
      tags: ["lab", "home"],
      clock_offset_ms: 9000,
    }),
  }),
  card("c", { status: "offline", values: figures({ "cpu.pct": 99, "disk.pct": 99 }) }),
  card("d", { status: "offline", facts: facts({ ephemeral: true }) }),
);

it("sums up the machines that report, and counts the others", () => {
  const summary = summarise(FLEET);
  expect(summary.counts).toEqual({ online: 1, degraded: 1, offline: 1, off: 1 });
  expect(summary).toMatchObject({ machines: 4, live: 2, cores: 10, clocksWrong: 1 });
  expect(summary).toMatchObject({ receivedPerSecond: 100, sentPerSecond: 7 });
  expect(summary.memory).toMatchObject({ usedBytes: 1250, totalBytes: 4000 });
  expect(summary.cpu.mean).toBe(55);
  expect(summary.cpu.buckets.at(2)).toBe(1);
  expect(summary.cpu.buckets.at(-1)).toBe(1);
  expect(summary.disk).toMatchObject({ top: { id: "a", pct: 95 }, high: 1 });
});

it("has no mean of nothing", () => {
  expect(summarise(new Map()).cpu.mean).toBeUndefined();
});

it("counts tags, the most used first", () => {
  expect(tagCounts(FLEET)).toEqual([
    ["lab", 2],
    ["home", 1],
  ]);
});
