/**
 * A long list of which only what is in sight is in the document.
 *
 * It scrolls with the page. Exactly one of its items can be reached with Tab (roving tabindex);
 * arrow keys move from there. An item is an element with data-item; its first link is what is reached.
 */

import type { ComponentChildren } from "preact";
import { useCallback, useLayoutEffect, useRef, useState } from "preact/hooks";
import { isMove, moved } from "../fleet/grid";
import { heightOf, movedAlong, windowOf, type Window } from "../fleet/window";
import { useKeys } from "../keys";

interface WindowedProps {
  readonly ids: readonly string[];
  /** How many columns there are in so many px of width; one, where it is not said. */
  readonly columnsIn?: (width: number) => number;
  /** Height of a row with the gap below it, in px. */
  readonly rowHeight: number;
  readonly class: string;
  readonly role: "list" | "table";
  readonly label: string;
  /** Told whenever something was drawn, before it is seen: it scrolls to what is to stay in sight. */
  readonly onDrawn?: () => void;
  /** A row above the items that stays. */
  readonly header?: ComponentChildren;
  readonly children: (id: string, index: number, tabIndex: 0 | -1) => ComponentChildren;
}

const NOTHING: Window = { first: 0, end: 0, top: 0 };

export function Windowed(props: WindowedProps) {
  const { ids, columnsIn = oneColumn, rowHeight, onDrawn, children } = props;
  const box = useRef<HTMLDivElement>(null);
  const [columns, setColumns] = useState(0);
  const [sight, setSight] = useState(NOTHING);
  const [current, setCurrent] = useState("");
  const focusNext = useRef(false);

  const look = useCallback(() => {
    const element = box.current;
    if (!element) return;
    const fitting = columnsIn(element.clientWidth);
    const scrolled = -element.getBoundingClientRect().top;
    const next = windowOf(ids.length, { columns: fitting, rowHeight }, scrolled, innerHeight);
    setColumns(fitting);
    setSight((before) => (sameWindow(before, next) ? before : next));
  }, [ids.length, columnsIn, rowHeight]);

  const before = useRef(ids);
  const known = before.current;
  before.current = ids;
  const isFollowed = onDrawn !== undefined && known !== ids;
  const seen = isFollowed ? movedAlong(sight, known, ids, current, rowHeight) : sight;

  useLayoutEffect(() => {
    // It may scroll, and then other items are in sight.
    onDrawn?.();
    if (seen !== sight) look();
  });

  useLayoutEffect(() => {
    look();
    const observer = new ResizeObserver(look);
    if (box.current) observer.observe(box.current);
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      observer.disconnect();
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [look]);

  useLayoutEffect(() => {
    if (!focusNext.current) return;
    const link = linkOf(box.current, current);
    if (!link) return;
    focusNext.current = false;
    link.focus({ preventScroll: true });
  });

  const onKey = useCallback(
    (key: string) => {
      const element = box.current;
      if (!element || !isMove(key) || ids.length === 0 || columns === 0) return false;
      const focused = document.activeElement;
      const inside = element.contains(focused);
      if (!inside && focused !== document.body) return false;
      if (!inside && !key.startsWith("Arrow")) return false;
      const at = ids.indexOf(current);
      const pageRows = Math.floor(innerHeight / rowHeight) - 1;
      const grid = { count: ids.length, columns, pageRows };
      const to =
        inside && at >= 0 ? moved(at, key, grid) : at >= 0 ? at : firstInSight(element, ids);
      focusNext.current = true;
      setCurrent(ids[to] ?? "");
      scrollToRow(element, Math.floor(to / columns), rowHeight);
      return true;
    },
    [ids, columns, rowHeight, current],
  );
  useKeys(onKey);

  const drawn = ids.slice(seen.first, seen.end);
  // The one that Tab reaches must be in the document.
  const reachable = drawn.includes(current) ? current : drawn[0];
  return (
    <div
      class={props.class}
      role={props.role}
      aria-label={props.label}
      aria-rowcount={props.role === "table" ? ids.length + 1 : undefined}
      onFocusIn={(event) => {
        const item = (event.target as Element).closest<HTMLElement>("[data-item]");
        if (item?.dataset["item"]) setCurrent(item.dataset["item"]);
      }}
    >
      {props.header}
      <div
        ref={box}
        class="windowed"
        role={props.role === "table" ? "rowgroup" : "presentation"}
        style={{ height: `${columns ? heightOf(ids.length, { columns, rowHeight }) : 0}px` }}
      >
        <div
          class="windowed-drawn"
          role="presentation"
          style={{
            transform: `translateY(${seen.top}px)`,
            gridTemplateColumns: `repeat(${columns || 1}, minmax(0, 1fr))`,
          }}
        >
          {drawn.map((id, place) => children(id, seen.first + place, id === reachable ? 0 : -1))}
        </div>
      </div>
    </div>
  );
}

function oneColumn(): number {
  return 1;
}

function sameWindow(a: Window, b: Window): boolean {
  return a.first === b.first && a.end === b.end && a.top === b.top;
}

function linkOf(box: Element | null, id: string): HTMLElement | null {
  return box?.querySelector<HTMLElement>(`[data-item="${CSS.escape(id)}"] a`) ?? null;
}

function firstInSight(box: Element, ids: readonly string[]): number {
  const edge = stickyHeight();
  for (const item of box.querySelectorAll<HTMLElement>("[data-item]")) {
    const id = item.dataset["item"];
    if (id && item.getBoundingClientRect().top >= edge) return Math.max(0, ids.indexOf(id));
  }
  return 0;
}

/** Scrolls as little as shows the row whole, below what sticks to the top. */
function scrollToRow(box: Element, row: number, rowHeight: number): void {
  const top = box.getBoundingClientRect().top + row * rowHeight;
  const above = top - stickyHeight() - 8;
  const below = top + rowHeight - innerHeight + 8;
  if (above < 0) scrollBy(0, above);
  else if (below > 0) scrollBy(0, below);
}

function stickyHeight(): number {
  const bottoms = Array.from(document.querySelectorAll("[data-sticky]"), (element) => {
    const { position } = getComputedStyle(element);
    return position === "sticky" ? Math.max(0, element.getBoundingClientRect().bottom) : 0;
  });
  return Math.max(0, ...bottoms);
}
