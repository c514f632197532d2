/** How the cells of the core grid stand: 8 by 8 for 64 cores, and sensibly for 1 to 256. */

export interface Cells {
  readonly columns: number;
  readonly rows: number;
  /** In CSS px, with the gap that follows. */
  readonly width: number;
  readonly height: number;
}

const NARROWEST_PX = 38;
const WIDEST_PX = 260;

export function cellsFor(count: number, width: number): Cells {
  const fitting = Math.max(1, Math.floor(width / NARROWEST_PX));
  const columns = Math.min(wantedColumns(count), fitting, Math.max(1, count));
  const rows = Math.ceil(count / columns);
  const cell = Math.min(WIDEST_PX, Math.floor(width / columns));
  const height = rows <= 4 ? 64 : rows <= 8 ? 52 : rows <= 16 ? 40 : 34;
  return { columns, rows, width: cell, height };
}

/** A square where there is one; otherwise wider than high, in rows that are full where possible. */
function wantedColumns(count: number): number {
  const side = Math.ceil(Math.sqrt(count));
  for (let columns = side; columns <= Math.min(16, side * 2); columns += 1) {
    if (count % columns === 0) return columns;
  }
  return Math.min(16, side);
}

/** Which core a place in the grid is of; null between and beyond the cells. */
export function cellAt(cells: Cells, count: number, x: number, y: number): number | null {
  const column = Math.floor(x / cells.width);
  const row = Math.floor(y / cells.height);
  if (x < 0 || y < 0 || column >= cells.columns) return null;
  const core = row * cells.columns + column;
  return core < count ? core : null;
}
