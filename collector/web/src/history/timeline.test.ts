import { describe, expect, it } from "vitest";
import type { Point } from "../wire/messages";
import { buckets, snapshots } from "./samples";
import {
  extended,
  lastMeasured,
  placeAt,
  placesWithin,
  valuesAt,
  type Timeline,
} from "./timeline";

const point = (ts: number, values: Record<string, number>): Point => ({
  ts,
  values: new Map(Object.entries(values)),
});

function avg(timeline: Timeline, key: string): unknown {
  return timeline.tracks.get(key)?.avg;
}

describe("what comes while one looks", () => {
  const start = snapshots([0, 5000, 10_000], { "cpu.pct": [1, 2, 3] });

  it("is appended, once, and leaves what was there alone", () => {
    const next = extended(start, [point(10_000, { "cpu.pct": 9 }), point(11_000, { "cpu.pct": 4 })], 0);
    expect(next.ts).toEqual([0, 5000, 10_000, 11_000]);
    expect(avg(next, "cpu.pct")).toEqual([1, 2, 3, 4]);
    expect(avg(start, "cpu.pct")).toEqual([1, 2, 3]);
    expect(extended(next, [point(11_000, { "cpu.pct": 4 })], 0)).toBe(next);
  });

  it("brings series that come and go, and a gap after a silence", () => {
    const next = extended(start, [point(11_000, { "mem.pct": 50 }), point(60_000, { "cpu.pct": 5 })], 0);
    expect(next.ts).toEqual([0, 5000, 10_000, 11_000, 12_000, 60_000]);
    expect(avg(next, "cpu.pct")).toEqual([1, 2, 3, null, null, 5]);
    expect(avg(next, "mem.pct")).toEqual([null, null, null, 50, null, null]);
  });

  it("pushes out what is before the edge, but for one place", () => {
    const next = extended(start, [point(15_000, { "cpu.pct": 4 })], 9000);
    expect(next.ts).toEqual([5000, 10_000, 15_000]);
    expect(avg(next, "cpu.pct")).toEqual([2, 3, 4]);
  });

  it("is averaged into the last bucket, which keeps its extremes", () => {
    const bucketed = buckets(60_000, [0, 60_000], { "cpu.pct": [10, 20] });
    const weight = bucketed.lastWeight;
    expect(extended(bucketed, [point(80_000, { "cpu.pct": 40 })], 0)).toBe(bucketed);
    const next = extended(bucketed, [point(119_999, { "cpu.pct": 40 })], 0);
    expect(next.tracks.get("cpu.pct")).toEqual({
      avg: [10, (20 * weight + 40) / (weight + 1)],
      min: [9, 19],
      max: [12, 40],
    });
    const after = extended(next, [point(120_500, { "cpu.pct": 7 })], 0);
    expect(after.ts).toEqual([0, 60_000, 120_000]);
    expect(after.tracks.get("cpu.pct")?.max[2]).toBe(7);
    const muchLater = extended(after, [point(600_000, { "cpu.pct": 1 })], 0);
    expect(muchLater.ts.slice(-3)).toEqual([480_000, 540_000, 600_000]);
    expect(muchLater.tracks.get("cpu.pct")?.avg.slice(-3)).toEqual([null, null, 1]);
  });
});

describe("holes", () => {
  it("that are only the agent's own pace are closed", () => {
    const fine = buckets(3000, [0, 3000, 6000, 9000, 12_000], { a: [1, null, 2, null, 3] });
    expect(fine.ts).toEqual([0, 6000, 12_000]);
    expect(avg(fine, "a")).toEqual([1, 2, 3]);
  });

  it("that are silences stay", () => {
    const ts = [0, 5000, 10_000, 15_000, 20_000, 25_000, 30_000];
    const silent = buckets(5000, ts, { a: [1, 1, null, null, null, null, 2] });
    expect(silent.ts).toEqual(ts);
  });
});

describe("places", () => {
  const timeline = snapshots([1000, 2000, 4000], { a: [1, null, 3], b: [null, null, 5] });

  it("are found by the nearest moment", () => {
    expect([0, 1400, 1600, 2900, 3100, 9999].map((at) => placeAt(timeline, at))).toEqual([
      0, 0, 1, 1, 2, 2,
    ]);
    expect(placeAt(snapshots([], {}), 5)).toBe(-1);
  });

  it("of a bucket are about its middle", () => {
    const bucketed = buckets(60_000, [0, 60_000], { a: [1, 2] });
    expect([10, 59_000, 61_000].map((at) => placeAt(bucketed, at))).toEqual([0, 0, 1]);
  });

  it("are those within a stretch, and the last with a figure", () => {
    expect(placesWithin(timeline, 1500, 4000)).toEqual([1, 3]);
    expect(lastMeasured(timeline, 2)).toBe(0);
    expect([...valuesAt(timeline, 2)]).toEqual([
      ["a", 3],
      ["b", 5],
    ]);
  });
});
