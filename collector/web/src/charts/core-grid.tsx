/** A cell a core, with its last figure and a sparkline of the range: one canvas, however many. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { coreName } from "../history/keys";
import { drawnAt, placesWithin, valueAt } from "../history/timeline";
import { spreadOf } from "../history/stats";
import { percent } from "../format/units";
import { theme } from "../theme";
import { levelOf } from "../ui/meter";
import { cellAt, cellsFor, type Cells } from "./cells";
import { useShown, type Shown } from "./context";
import { cursor, pointedCore } from "./cursor";
import { useInSight } from "./in-sight";
import { FONT, paletteOf, withAlpha, type Palette } from "./palette";

interface CoreGridProps {
  readonly id: string;
  readonly keys: readonly string[];
  /** The place whose figures stand in the cells. */
  readonly place: number;
  readonly summary: string;
}

const GAP_PX = 4;

export function CoreGrid({ id, keys, place, summary }: CoreGridProps) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const shown = useShown();
  const inSight = useInSight(box);
  const colours = theme.value;
  const pointed = pointedCore.value;
  const cells = width > 0 ? cellsFor(keys.length, width) : null;

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = () => {
      setWidth(element.clientWidth);
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => {
      observer.disconnect();
    };
  }, []);

  useLayoutEffect(() => {
    const element = canvas.current;
    if (!element || !cells || !inSight) return;
    const ratio = devicePixelRatio;
    const height = cells.rows * cells.height;
    if (element.width !== Math.round(cells.columns * cells.width * ratio)) {
      element.width = Math.round(cells.columns * cells.width * ratio);
    }
    if (element.height !== Math.round(height * ratio)) element.height = Math.round(height * ratio);
    const pen = element.getContext("2d");
    if (!pen) return;
    const palette = paletteOf(element);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, element.width, element.height);
    for (const [core, key] of keys.entries()) {
      drawCell(pen, cells, core, key, { shown, place, palette, isPointed: core === pointed });
    }
  }, [shown, place, cells?.columns, cells?.width, inSight, colours, pointed, keys]);

  return (
    <div ref={box} id={id} class="core-grid">
      <canvas
        ref={canvas}
        role="img"
        aria-label={summary}
        style={
          cells
            ? {
                width: `${cells.columns * cells.width}px`,
                height: `${cells.rows * cells.height}px`,
              }
            : {}
        }
        onPointerMove={(event) => {
          if (!cells) return;
          pointedCore.value = cellAt(cells, keys.length, event.offsetX, event.offsetY);
          cursor.value = null;
        }}
        onPointerLeave={() => {
          pointedCore.value = null;
        }}
      />
    </div>
  );
}

interface CellInk {
  readonly shown: Shown;
  readonly place: number;
  readonly palette: Palette;
  readonly isPointed: boolean;
}

const LEVELS = { normal: "--series-1", raised: "--fill-raised", full: "--fill-full" } as const;

function drawCell(
  pen: CanvasRenderingContext2D,
  cells: Cells,
  core: number,
  key: string,
  { shown, place, palette, isPointed }: CellInk,
): void {
  const left = (core % cells.columns) * cells.width;
  const top = Math.floor(core / cells.columns) * cells.height;
  const width = cells.width - GAP_PX;
  const height = cells.height - GAP_PX;
  const value = valueAt(shown.timeline, key, place);
  const ink = palette(LEVELS[levelOf(value ?? 0)]);
  pen.fillStyle = palette("--sunk");
  pen.beginPath();
  pen.roundRect(left, top, width, height, 3);
  pen.fill();
  drawSparkline(pen, { left, top: top + 15, width, height: height - 15 }, key, shown, ink);
  if (isPointed) {
    pen.strokeStyle = palette("--focus");
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.roundRect(left + 0.75, top + 0.75, width - 1.5, height - 1.5, 3);
    pen.stroke();
  }
  pen.font = `10.5px ${FONT}`;
  pen.textBaseline = "top";
  pen.fillStyle = palette("--muted");
  pen.textAlign = "left";
  pen.fillText(coreName(key), left + 4, top + 3);
  pen.fillStyle = palette("--text");
  pen.textAlign = "right";
  pen.fillText(value === undefined ? "–" : value.toFixed(0), left + width - 4, top + 3);
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

function drawSparkline(
  pen: CanvasRenderingContext2D,
  box: Box,
  key: string,
  { timeline, extent }: Shown,
  ink: string,
): void {
  const column = timeline.tracks.get(key)?.avg;
  if (!column) return;
  const [first, end] = placesWithin(timeline, extent.from, extent.to);
  const perMs = box.width / (extent.to - extent.from);
  const bottom = box.top + box.height;
  // Closer than half a pixel says nothing.
  const step = Math.max(1, Math.floor((end - first) / (box.width * 2)));
  pen.save();
  pen.beginPath();
  pen.rect(box.left, box.top, box.width, box.height);
  pen.clip();
  pen.strokeStyle = ink;
  pen.fillStyle = withAlpha(ink, 0.3);
  pen.lineWidth = 1;
  let run: [number, number][] = [];
  const finish = () => {
    const [start] = run;
    const stop = run.at(-1);
    if (start && stop) {
      pen.beginPath();
      for (const [x, y] of run) pen.lineTo(x, y);
      pen.stroke();
      pen.lineTo(stop[0], bottom);
      pen.lineTo(start[0], bottom);
      pen.fill();
    }
    run = [];
  };
  for (let place = first; place < end; place += step) {
    const value = column[place];
    if (typeof value !== "number") {
      finish();
      continue;
    }
    const at = drawnAt(timeline.ts[place] ?? 0, timeline.stepMs);
    const y = bottom - (Math.min(100, Math.max(0, value)) / 100) * (box.height - 1) - 0.5;
    run.push([box.left + (at - extent.from) * perMs, y]);
  }
  finish();
  pen.restore();
}

/** What is said of the core that is pointed at. */
export function pointedWords(keys: readonly string[], shown: Shown, place: number): string | null {
  const core = pointedCore.value;
  const key = core === null ? undefined : keys[core];
  const track = key === undefined ? undefined : shown.timeline.tracks.get(key);
  if (core === null || key === undefined || !track) return null;
  const [first, end] = placesWithin(shown.timeline, shown.extent.from, shown.extent.to);
  const spread = spreadOf(track, first, end);
  const now = percent(valueAt(shown.timeline, key, place));
  if (!spread) return `Core ${coreName(key)}: ${now}`;
  return `Core ${coreName(key)}: ${now} · on average ${percent(spread.mean)} · at most ${percent(spread.max)}`;
}
