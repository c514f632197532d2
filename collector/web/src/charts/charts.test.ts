import { describe, expect, it } from "vitest";
import { buckets, snapshots } from "../history/samples";
import { cellAt, cellsFor } from "./cells";
import { columnsOf, drawnSeries, stack } from "./columns";
import { rampColour, rampOf } from "./heat";
import { limitsOf, roundUp } from "./scale";
import type { ChartSpec } from "./spec";
import { UNITS } from "./spec";

const traffic: ChartSpec = {
  id: "net",
  title: "Traffic",
  unit: "bytesPerSecond",
  shape: "mirror",
  scale: "free",
  lines: [
    { key: "rx", label: "received", colour: "--in" },
    { key: "tx", label: "sent", colour: "--out", below: true },
  ],
};

describe("columns", () => {
  it("stack what was measured, and leave a gap where nothing was", () => {
    expect(
      stack([
        [1, null, 2],
        [3, null, null],
      ]),
    ).toEqual([
      [1, null, 2],
      [4, null, 2],
    ]);
  });

  it("draw what is sent downward", () => {
    const timeline = snapshots([0, 5000], { rx: [1, 2], tx: [3, null] });
    const columns = columnsOf(traffic, timeline, drawnSeries(traffic, false));
    expect(columns).toEqual([
      [0, 5000],
      [-3, null],
      [1, 2],
    ]);
  });

  it("have a band behind each line where there are buckets, at their middle", () => {
    const timeline = buckets(60_000, [0], { rx: [10], tx: [20] });
    const drawn = drawnSeries(traffic, true);
    expect(drawn.map(({ part }) => part)).toEqual(["max", "min", "avg", "max", "min", "avg"]);
    expect(columnsOf(traffic, timeline, drawn)).toEqual([
      [30_000],
      [-19],
      [-22],
      [-20],
      [12],
      [9],
      [10],
    ]);
  });

  it("are empty for a series that is not there", () => {
    const columns = columnsOf(traffic, snapshots([0], { a: [1] }), drawnSeries(traffic, false));
    expect(columns).toEqual([[0], [null], [null]]);
  });
});

describe("scales", () => {
  it("end at round figures with a little room", () => {
    expect([0, 0.9, 97, 100, 1.9e6].map(roundUp)).toEqual([0, 1, 120, 120, 2e6]);
  });

  it("keep percentages comparable", () => {
    const cpu: ChartSpec = { ...traffic, shape: "stack", unit: "percent", scale: "share" };
    expect([3, 26, 51, NaN].map((high) => limitsOf(cpu, 0, high)[1])).toEqual([25, 50, 100, 25]);
  });

  it("leave room on both sides of a mirror", () => {
    const [low, high] = limitsOf(traffic, -10, 1e6);
    expect(high).toBe(1.2e6);
    expect(low).toBe(-1.2e6 / 5);
  });

  it("say large plain figures briefly", () => {
    expect([0.1234, 12.345, 1234, 2_050_000].map(UNITS.plain.figure)).toEqual([
      "0.123",
      "12.35",
      "1,234",
      "2.05 M",
    ]);
  });
});

describe("the core grid", () => {
  it.each([
    [1, 1, 1],
    [2, 2, 1],
    [4, 2, 2],
    [6, 3, 2],
    [8, 4, 2],
    [12, 4, 3],
    [16, 4, 4],
    [24, 6, 4],
    [64, 8, 8],
    [128, 16, 8],
    [192, 16, 12],
    [256, 16, 16],
  ])("of %i cores is %i by %i", (cores, columns, rows) => {
    expect(cellsFor(cores, 1200)).toMatchObject({ columns, rows });
  });

  it("fits a phone", () => {
    const cells = cellsFor(128, 330);
    expect(cells.columns * cells.width).toBeLessThanOrEqual(330);
    expect(cells.columns * cells.rows).toBeGreaterThanOrEqual(128);
  });

  it("knows which core is where", () => {
    const cells = cellsFor(6, 300);
    expect(cellAt(cells, 6, 5, 5)).toBe(0);
    expect(cellAt(cells, 6, 299, cells.height + 1)).toBe(5);
    expect(cellAt(cells, 5, 299, cells.height + 1)).toBeNull();
    expect(cellAt(cells, 6, -1, 0)).toBeNull();
  });
});

it("goes from the first colour to the last", () => {
  const ramp = rampOf((name) => (name === "--heat-4" ? "#ff0000" : "#000000"));
  expect([rampColour(ramp, -5), rampColour(ramp, 94), rampColour(ramp, 400)]).toEqual([
    "rgb(0, 0, 0)",
    "rgb(127, 0, 0)",
    "rgb(255, 0, 0)",
  ]);
});
