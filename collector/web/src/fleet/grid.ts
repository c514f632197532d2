/** Moves through a grid of cards, or through a table, which is a grid with one column. */

export const MOVES = [
  "ArrowLeft",
  "ArrowRight",
  "ArrowUp",
  "ArrowDown",
  "PageUp",
  "PageDown",
  "Home",
  "End",
] as const;
export type Move = (typeof MOVES)[number];

export interface Grid {
  readonly count: number;
  readonly columns: number;
  /** Rows in sight, which is what a page is. */
  readonly pageRows: number;
}

export function isMove(key: string): key is Move {
  return (MOVES as readonly string[]).includes(key);
}

/** Where a move leads from `index`; `index` itself where there is no way on. */
export function moved(index: number, move: Move, { count, columns, pageRows }: Grid): number {
  const last = count - 1;
  if (count === 0) return 0;
  switch (move) {
    case "ArrowLeft":
      return Math.max(0, index - 1);
    case "ArrowRight":
      return Math.min(last, index + 1);
    case "ArrowUp":
      return index - columns < 0 ? index : index - columns;
    case "ArrowDown":
      return down(index, columns, last, columns);
    case "PageUp":
      return Math.max(index % columns, index - columns * Math.max(1, pageRows));
    case "PageDown":
      return down(index, columns * Math.max(1, pageRows), last, columns);
    case "Home":
      return 0;
    case "End":
      return last;
  }
}

/** Down into a last row that is not full ends at its last cell. */
function down(index: number, step: number, last: number, columns: number): number {
  if (index + step <= last) return index + step;
  const lastRow = Math.floor(last / columns);
  const row = Math.floor(index / columns);
  return row === lastRow ? index : Math.min(last, lastRow * columns + (index % columns));
}
