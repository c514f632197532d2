import { describe, expect, it } from "vitest";
import { columnsFor, heightOf, movedAlong, windowOf } from "./window";

const LAYOUT = { columns: 4, rowHeight: 100 };

describe("the rows worth drawing", () => {
  it("draws what is in sight and a little more, however long the list", () => {
    const window = windowOf(10_000, LAYOUT, 50_000, 800);
    expect(heightOf(10_000, LAYOUT)).toBe(250_000);
    expect(window.top).toBe(49_700);
    expect(window.first).toBe(497 * 4);
    expect(window.end - window.first).toBeLessThan(80);
    expect(window.end * 25).toBeGreaterThanOrEqual(50_800);
  });

  it("begins at the first row when the list is below the top of the page", () => {
    expect(windowOf(10_000, LAYOUT, -300, 800)).toMatchObject({ first: 0, top: 0 });
  });

  it("ends at the last item, and draws nothing of nothing", () => {
    expect(windowOf(9, LAYOUT, 0, 800)).toMatchObject({ first: 0, end: 9 });
    expect(heightOf(9, LAYOUT)).toBe(300);
    expect(windowOf(0, LAYOUT, 0, 800)).toEqual({ first: 0, end: 0, top: 0 });
    expect(heightOf(0, LAYOUT)).toBe(0);
    expect(windowOf(9, LAYOUT, 9_000, 800)).toMatchObject({ first: 9, end: 9 });
  });
});

describe("a window moved along", () => {
  const before = "a b c d e f g h".split(" ");
  const window = { first: 2, end: 5, top: 20 };
  const moved = (now: string, first = "") => movedAlong(window, before, now.split(" "), first, 10);

  it("draws the same items, when others came or went before them", () => {
    expect(moved("x y a b c d e f g h")).toEqual({ first: 4, end: 7, top: 40 });
    expect(moved("b c d e f g h")).toEqual({ first: 1, end: 4, top: 10 });
    expect(moved("a b c d e x f g h")).toBe(window);
  });

  it("follows the one that is wanted, or else one that is still there", () => {
    expect(moved("c x a b d e f g h", "d")).toEqual({ first: 3, end: 6, top: 30 });
    expect(moved("x y z d e a b f g h")).toEqual({ first: 2, end: 5, top: 20 });
    expect(moved("x y z")).toBe(window);
    expect(moved("d e")).toEqual({ first: 0, end: 2, top: 0 });
  });
});

it("fits as many columns as there is room for, and one at least", () => {
  expect(columnsFor(1552, 268, 12)).toBe(5);
  expect(columnsFor(548, 268, 12)).toBe(2);
  expect(columnsFor(547, 268, 12)).toBe(1);
  expect(columnsFor(100, 268, 12)).toBe(1);
});
