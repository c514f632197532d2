/** Which rows of a long list are worth having in the document. */

export interface Layout {
  readonly columns: number;
  /** Height of a row with the gap below it, in px. */
  readonly rowHeight: number;
}

export interface Window {
  /** The first item drawn, and the one after the last. */
  readonly first: number;
  readonly end: number;
  /** Where the first one stands, in px. */
  readonly top: number;
}

/** Rows beyond the edge that are drawn too, so that a quick scroll does not show a gap. */
const SPARE_ROWS = 3;

/**
 * @param scrolled how far the list's top is above the viewport's top, in px
 * @param viewport height of the viewport in px
 */
export function windowOf(
  count: number,
  layout: Layout,
  scrolled: number,
  viewport: number,
): Window {
  const rows = Math.ceil(count / layout.columns);
  const firstSeen = Math.floor(scrolled / layout.rowHeight);
  const seen = Math.ceil(viewport / layout.rowHeight) + 1;
  const firstRow = clamp(firstSeen - SPARE_ROWS, 0, rows);
  const endRow = clamp(firstSeen + seen + SPARE_ROWS, firstRow, rows);
  return {
    first: Math.min(count, firstRow * layout.columns),
    end: Math.min(count, endRow * layout.columns),
    top: firstRow * layout.rowHeight,
  };
}

/** How high all of a list is, in px. */
export function heightOf(count: number, { columns, rowHeight }: Layout): number {
  return Math.ceil(count / columns) * rowHeight;
}

/**
 * The window moved along with what is in it, when items came or went before it; for lists of one
 * column.
 *
 * @param first the item that is followed before all others
 */
export function movedAlong(
  window: Window,
  before: readonly string[],
  now: readonly string[],
  first: string,
  rowHeight: number,
): Window {
  const drawn = before.slice(window.first, window.end);
  for (const id of drawn.includes(first) ? [first, ...drawn] : drawn) {
    const from = window.first + drawn.indexOf(id);
    const to = now[from] === id ? from : now.indexOf(id);
    if (to === from) return window;
    if (to < 0) continue;
    const start = clamp(window.first + to - from, 0, now.length);
    const end = clamp(window.end + to - from, start, now.length);
    return { first: start, end, top: start * rowHeight };
  }
  return window;
}

/** How many columns of at least `minWidth` fit. */
export function columnsFor(width: number, minWidth: number, gap: number): number {
  return Math.max(1, Math.floor((width + gap) / (minWidth + gap)));
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
