import { describe, expect, it } from "vitest";
import { moved, type Move } from "./grid";

// 0 1 2
// 3 4 5
// 6 7
const GRID = { count: 8, columns: 3, pageRows: 2 };

describe("moving in a grid", () => {
  it.each<[number, Move, number]>([
    [0, "ArrowRight", 1],
    [2, "ArrowRight", 3],
    [7, "ArrowRight", 7],
    [3, "ArrowLeft", 2],
    [0, "ArrowLeft", 0],
    [1, "ArrowDown", 4],
    [4, "ArrowDown", 7],
    [5, "ArrowDown", 7],
    [6, "ArrowDown", 6],
    [7, "ArrowUp", 4],
    [1, "ArrowUp", 1],
    [1, "PageDown", 7],
    [7, "PageUp", 1],
    [4, "PageUp", 1],
    [4, "Home", 0],
    [4, "End", 7],
  ])("from %i, %s leads to %i", (from, move, to) => {
    expect(moved(from, move, GRID)).toBe(to);
  });

  it("moves through a table as through a grid of one column", () => {
    const table = { count: 100, columns: 1, pageRows: 20 };
    expect(moved(5, "ArrowDown", table)).toBe(6);
    expect(moved(5, "PageDown", table)).toBe(25);
    expect(moved(95, "PageDown", table)).toBe(99);
    expect(moved(5, "PageUp", table)).toBe(0);
  });

  it("stays where it is in nothing", () => {
    expect(moved(0, "End", { count: 0, columns: 3, pageRows: 1 })).toBe(0);
  });
});
