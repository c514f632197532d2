import { describe, expect, it } from "vitest";
import { reboots, silences } from "./moments";
import { buckets, snapshots } from "./samples";

const extent = { from: 0, to: 200_000 };

describe("silences", () => {
  const timeline = snapshots([10_000, 15_000, 16_000, 90_000, 95_000], {
    a: [1, 2, null, 3, 4],
  });

  it("are between what came before and after", () => {
    expect(silences(timeline, { from: 0, to: 100_000 }, 0)).toEqual([{ from: 15_000, to: 90_000 }]);
  });

  it("reach to the edge when nothing came since", () => {
    expect(silences(timeline, extent, 0).at(-1)).toEqual({ from: 95_000, to: 200_000 });
  });

  it("do not begin before the machine was known", () => {
    const late = snapshots([100_000, 105_000], { a: [1, 2] });
    const until = { from: 0, to: 106_000 };
    expect(silences(late, until, 99_000)).toEqual([]);
    expect(silences(late, until, 20_000)).toEqual([{ from: 20_000, to: 100_000 }]);
  });

  it("are whole buckets where there are buckets", () => {
    const ts = [0, 60_000, 120_000, 180_000, 240_000, 300_000];
    const bucketed = buckets(60_000, ts, { a: [1, null, null, null, null, 2] });
    expect(silences(bucketed, { from: 0, to: 360_000 }, 0)).toEqual([
      { from: 60_000, to: 300_000 },
    ]);
  });
});

describe("reboots", () => {
  it("are when uptime fell, and began when it was nothing", () => {
    const timeline = snapshots([100_000, 105_000, 130_000, 135_000], {
      "uptime.s": [9000, 9005, 10, 15],
    });
    expect(reboots(timeline)).toEqual([120_000]);
  });

  it("are none when an agent restarts or a clock is set by a second", () => {
    const timeline = snapshots([0, 5000, 60_000, 65_000], { "uptime.s": [100, 105, 160, 159] });
    expect(reboots(timeline)).toEqual([]);
    expect(reboots(snapshots([0, 5000], { a: [2, 1] }))).toEqual([]);
  });

  it("count once though a bucket holds both uptimes", () => {
    const at = (ts: number, avg: number, min: number, max: number) => ({ ts, avg, min, max });
    const rows = [
      at(0, 50_300, 50_000, 50_600),
      at(600_000, 20_000, 5, 51_000),
      at(1_200_000, 700, 400, 1000),
      at(1_800_000, 1300, 1000, 1600),
    ];
    const empty = buckets(600_000, rows.map(({ ts }) => ts), { a: [1, 1, 1, 1] });
    const uptime = {
      avg: rows.map((row) => row.avg),
      min: rows.map((row) => row.min),
      max: rows.map((row) => row.max),
    };
    const timeline = { ...empty, tracks: new Map([["uptime.s", uptime]]) };
    expect(reboots(timeline)).toEqual([800_000]);
  });
});
