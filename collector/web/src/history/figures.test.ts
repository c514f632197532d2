import { describe, expect, it } from "vitest";
import { readHistory } from "../wire/history";
import { parse } from "../wire/read";
import { csvOf } from "./csv";
import { coreName, instanceKeys, instanceOf, metricOf, shownInstance } from "./keys";
import { buckets, snapshots } from "./samples";
import { coresAt, latestOf, spreadOf } from "./stats";

describe("keys", () => {
  it("split at the first slash, and sort as people count", () => {
    expect([metricOf("disk.pct//home"), instanceOf("disk.pct//home")]).toEqual(["disk.pct", "/home"]);
    expect(instanceOf("cpu.pct")).toBe("");
    const keys = ["cpu.core_pct/10", "cpu.core_pct/2", "cpu.pct", "cpu.core_pct/0"];
    expect(instanceKeys(keys, "cpu.core_pct").map(coreName)).toEqual(["0", "2", "10"]);
  });

  it("are shown without what could deceive", () => {
    expect(shownInstance("net.rx/\u202eeth0\u0007")).toBe("eth0");
    expect(shownInstance("net.rx/\u202e")).toBe("(unnamed)");
  });
});

describe("figures of many", () => {
  it("say how the cores are", () => {
    const timeline = snapshots([0, 5000], { c0: [10, null], c1: [20, null], c2: [90, null] });
    const cores = coresAt(timeline, ["c0", "c1", "c2"], 0);
    expect(cores).toMatchObject({ average: 40, hottest: 2, max: 90 });
    expect(cores?.deviation).toBeCloseTo(35.59, 1);
    expect(coresAt(timeline, ["c0"], 1)).toBeNull();
  });

  it("say what a series did, with the extremes of its buckets", () => {
    const timeline = buckets(60_000, [0, 60_000, 120_000], { a: [10, null, 30] });
    const track = timeline.tracks.get("a");
    expect(track && spreadOf(track, 0, 3)).toEqual({ min: 9, mean: 20, max: 32, last: 30 });
    expect(track && spreadOf(track, 1, 1)).toBeNull();
    expect(latestOf([1, null, null], 2, 2)).toBeUndefined();
    expect(latestOf([1, null, null], 2, 3)).toBe(1);
  });
});

describe("CSV", () => {
  it("has a line a snapshot and a column a series, and leaves gaps out", () => {
    const timeline = snapshots([0, 5000, 6000, 90_000], {
      "net.rx_bytes_per_s/a,b": [1, 2, null, 3],
      "cpu.pct": [0.5, null, null, 12.25],
    });
    expect(csvOf(timeline, { from: 0, to: 100_000 }).split("\r\n")).toEqual([
      'time,cpu.pct,"net.rx_bytes_per_s/a,b"',
      "1970-01-01T00:00:00.000Z,0.5,1",
      "1970-01-01T00:00:05.000Z,,2",
      "1970-01-01T00:01:30.000Z,12.25,3",
      "",
    ]);
  });

  it("has three columns a series where there are buckets, and only what is in sight", () => {
    const timeline = buckets(60_000, [0, 60_000, 120_000], { a: [10, 20, 30] });
    expect(csvOf(timeline, { from: 60_001, to: 119_000 }).split("\r\n")).toEqual([
      "time,a,a min,a max",
      "1970-01-01T00:01:00.000Z,20,19,22",
      "",
    ]);
  });
});

describe("the history message", () => {
  const body = { node_id: "n", from: 0, to: 9, step_ms: 1, ts: [1], series: {} };

  it("keeps keys exactly, and nulls", () => {
    const track = { avg: [null], min: [null], max: [null] };
    const text = JSON.stringify({ ...body, series: { "a/__proto__": track, __proto__x: track } });
    const read = parse(readHistory, text);
    expect(read.series.get("a/__proto__")?.avg).toEqual([null]);
  });

  it.each([{ ts: [null] }, { ts: "1" }, { series: { a: { avg: ["1"], min: [], max: [] } } }])(
    "is refused when it does not fit: %o",
    (wrong) => {
      expect(() => parse(readHistory, JSON.stringify({ ...body, ...wrong }))).toThrow("should be");
    },
  );
});
