import { describe, expect, it } from "vitest";
import { columnsFor, windowOf } from "./window";

const LAYOUT = { columns: 4, rowHeight: 100 };

describe("the rows worth drawing", () => {
  it("draws what is in sight and a little more, however long the list", () => {
    const window = windowOf(10_000, LAYOUT, 50_000, 800);
    expect(window.height).toBe(250_000);
    expect(window.top).toBe(49_700);
    expect(window.first).toBe(497 * 4);
    expect(window.end - window.first).toBeLessThan(80);
    expect(window.end * 25).toBeGreaterThanOrEqual(50_800);
  });

  it("begins at the first row when the list is below the top of the page", () => {
    expect(windowOf(10_000, LAYOUT, -300, 800)).toMatchObject({ first: 0, top: 0 });
  });

  it("ends at the last item, and draws nothing of nothing", () => {
    expect(windowOf(9, LAYOUT, 0, 800)).toMatchObject({ first: 0, end: 9, height: 300 });
    expect(windowOf(0, LAYOUT, 0, 800)).toEqual({ first: 0, end: 0, top: 0, height: 0 });
    expect(windowOf(9, LAYOUT, 9_000, 800)).toMatchObject({ first: 9, end: 9 });
  });
});

it("fits as many columns as there is room for, and one at least", () => {
  expect(columnsFor(1552, 268, 12)).toBe(5);
  expect(columnsFor(548, 268, 12)).toBe(2);
  expect(columnsFor(547, 268, 12)).toBe(1);
  expect(columnsFor(100, 268, 12)).toBe(1);
});
