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

  it("count once though a bucket holds both uptimes, and are timed by the bucket after", () => {
    expect(rebootsIn([50_000, 50_600], [5, 51_000], [400, 1000], [1000, 1600])).toEqual([800_000]);
    expect(rebootsIn([50_000, 50_600], [5, 200], [400, 1000], [1000, 1600])).toEqual([800_000]);
  });

  it("in the last bucket are timed by its end", () => {
    const [at] = rebootsIn([50_000, 50_600], [5, 100]);
    expect(at).toBe(799_999); // what is known reaches to 899,999 ms
  });
});

/** The reboots that buckets of 10 minutes tell, of which each has its least and greatest uptime. */
function rebootsIn(...uptimes: readonly (readonly [min: number, max: number])[]): number[] {
  const ts = uptimes.map((_, index) => index * 600_000);
  const timeline = buckets(600_000, ts, { a: ts });
  const uptime = {
    avg: uptimes.map(([min, max]) => (min + max) / 2),
    min: uptimes.map(([min]) => min),
    max: uptimes.map(([, max]) => max),
  };
  return reboots({ ...timeline, tracks: new Map([["uptime.s", uptime]]) });
}
