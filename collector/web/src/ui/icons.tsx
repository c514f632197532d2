/** The page's few glyphs: 16 by 16, drawn with the colour of the text. */

import type { JSX } from "preact";
import type { Condition } from "../fleet/state";
import { CONDITION_NAMES } from "../format/presence";

/** A condition has a shape of its own, so that it is never told by colour alone. */
export function StatusGlyph({ condition, named }: { condition: Condition; named?: boolean }) {
  const name = CONDITION_NAMES[condition];
  return (
    <svg
      class={`glyph status-${condition}`}
      viewBox="0 0 16 16"
      role={named ? "img" : undefined}
      aria-label={named ? name : undefined}
      aria-hidden={named ? undefined : true}
    >
      {named && <title>{name}</title>}
      {SHAPES[condition]}
    </svg>
  );
}

const SHAPES: Readonly<Record<Condition, JSX.Element>> = {
  online: <circle cx="8" cy="8" r="5" fill="currentColor" />,
  degraded: (
    <path
      d="M8 2 14.5 13.5h-13z"
      fill="currentColor"
      stroke="currentColor"
      stroke-linejoin="round"
    />
  ),
  offline: (
    <path
      d="m4 4 8 8m0-8-8 8"
      fill="none"
      stroke="currentColor"
      stroke-width="2.6"
      stroke-linecap="round"
    />
  ),
  off: <circle cx="8" cy="8" r="4.2" fill="none" stroke="currentColor" stroke-width="1.8" />,
};

type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg
      class="icon"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

const PATHS = {
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10Zm3.6-1.4L14 14",
  cards: "M2.5 2.5h4.5V7H2.5zM9 2.5h4.5V7H9zM2.5 9h4.5v4.5H2.5zM9 9h4.5v4.5H9z",
  table: "M2.5 3.5h11M2.5 8h11M2.5 12.5h11",
  plus: "M8 3v10M3 8h10",
  close: "m4 4 8 8m0-8-8 8",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M12.6 3.4l-.7.7M4.1 11.9l-.7.7",
  moon: "M13.5 9.6A6 6 0 0 1 6.4 2.5a6 6 0 1 0 7.1 7.1Z",
  help: "M6 6.2a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.4M8 11.9v.1M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13Z",
  leave: "M6 2.5H3.5v11H6M10.5 5 13.5 8l-3 3M13.5 8h-7",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  check: "m3 8.5 3.5 3.5L13 4.5",
  back: "M9.5 3.5 5 8l4.5 4.5",
  edit: "m10.5 3 2.5 2.5L6 12.5l-3 .5.5-3z",
  up: "M8 13V3.5M4 7.5l4-4 4 4",
  down: "M8 3v9.5M4 8.5l4 4 4-4",
  next: "M6.5 3.5 11 8l-4.5 4.5",
  minus: "M3 8h10",
  download: "M8 2.5v7.5M4.5 7 8 10.5 11.5 7M3 13.5h10",
  image: "M2.5 3h11v10h-11zM2.5 11l3.2-3.4 2.6 2.6 2-1.8 3.2 3M10.7 6.2h.1",
  grid: "M2.5 2.5h3v3h-3zM6.5 2.5h3v3h-3zM10.5 2.5h3v3h-3zM2.5 6.5h3v3h-3zM6.5 6.5h3v3h-3zM10.5 6.5h3v3h-3zM2.5 10.5h3v3h-3zM6.5 10.5h3v3h-3zM10.5 10.5h3v3h-3z",
  restart: "M13 8a5 5 0 1 1-1.6-3.7M13.2 2v3.2H10",
  silence: "M2.5 8h3M10.5 8h3M7.2 5.5v5M8.8 5.5v5",
  work: "M5 2.8v10.4L13.2 8z",
  retry: "M3 8a5 5 0 1 0 1.6-3.7M2.8 2v3.2H6",
  file: "M4 1.8h5l3 3v9.4H4zM9 1.8v3h3",
  fit: "M2.5 5.5v-3h3M13.5 5.5v-3h-3M2.5 10.5v3h3M13.5 10.5v3h-3",
  clock: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM8 4.5V8l2.5 1.5",
} as const;
