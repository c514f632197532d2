/** Draws the part of a plan that is in sight on a canvas: its cost is what is seen, not what there is. */

import { channels, FONT, withAlpha, type Palette } from "../../charts/palette";
import { hatching } from "../../charts/marks";
import { firstEndingAfter, laneHeight, laneTop, type Place } from "../../plan/find";
import type { Bar, JobMarks, Layout, Row } from "../../plan/layout";
import { ticksOf, type View } from "../../plan/view";
import { jobName, taskName, timeWords } from "../../plan/words";
import { patternTiles } from "./patterns";

export const AXIS_PX = 30;

export interface Scene {
  readonly layout: Layout;
  readonly unit: string;
  readonly view: View;
  readonly width: number;
  readonly height: number;
  /** Where the names of machines end. */
  readonly labels: number;
  readonly scrolled: number;
  readonly palette: Palette;
  readonly pointed: Place | null;
  /** The job that stands out; the others step back. */
  readonly picked: string | null;
}

/** Of late jobs no more have a line of their own: they would be a curtain. */
const MOST_LINES = 6;
const STEPPED_BACK = 0.22;

export function drawPlan(pen: CanvasRenderingContext2D, scene: Scene): void {
  const { width, height, palette } = scene;
  pen.clearRect(0, 0, width, height);
  pen.textBaseline = "middle";
  drawGrid(pen, scene);
  clipped(pen, scene.labels, AXIS_PX, width, height, () => {
    const tools = toolsFor(pen, scene);
    for (const row of rowsInSight(scene)) drawRow(pen, scene, row, tools);
    drawDueLines(pen, scene);
    drawPointed(pen, scene);
  });
  drawLabels(pen, scene);
  drawAxis(pen, scene);
  pen.strokeStyle = palette("--line");
  pen.lineWidth = 1;
  pen.strokeRect(scene.labels + 0.5, AXIS_PX - 0.5, width, height);
}

function xOf({ view, labels, width }: Scene, at: number): number {
  return labels + ((at - view.from) / (view.to - view.from)) * (width - labels);
}

function yOf({ scrolled }: Scene, row: Row): number {
  return AXIS_PX + row.top - scrolled;
}

function rowsInSight(scene: Scene): readonly Row[] {
  const { scrolled, height } = scene;
  return scene.layout.rows.filter(
    (row) => row.top + row.height > scrolled && row.top < scrolled + height - AXIS_PX,
  );
}

function clipped(
  pen: CanvasRenderingContext2D,
  left: number,
  top: number,
  right: number,
  bottom: number,
  draw: () => void,
): void {
  pen.save();
  pen.beginPath();
  pen.rect(left, top, right - left, bottom - top);
  pen.clip();
  draw();
  pen.restore();
}

function drawGrid(pen: CanvasRenderingContext2D, scene: Scene): void {
  const { width, height, palette, labels } = scene;
  for (const [place, row] of scene.layout.rows.entries()) {
    const top = yOf(scene, row);
    if (place % 2 === 1 || top + row.height < AXIS_PX || top > height) continue;
    pen.fillStyle = withAlpha(palette("--sunk"), 0.5);
    pen.fillRect(0, top, width, row.height);
  }
  pen.fillStyle = palette("--grid");
  for (const tick of ticksOf(scene.view, width - labels)) {
    pen.fillRect(Math.round(xOf(scene, tick)), AXIS_PX, 1, height - AXIS_PX);
  }
}

interface Tools {
  readonly hatch: CanvasPattern | null;
  readonly inks: readonly Ink[];
  readonly patterns: readonly (CanvasPattern | null)[];
}

interface Ink {
  readonly fill: string;
  readonly edge: string;
  readonly text: string;
}

function toolsFor(pen: CanvasRenderingContext2D, { palette }: Scene): Tools {
  const inks = Array.from({ length: 8 }, (_, hue): Ink => {
    const fill = palette(`--plan-${hue + 1}`);
    const [red, green, blue] = channels(fill);
    const isLight = red * 0.299 + green * 0.587 + blue * 0.114 > 140;
    return {
      fill,
      edge: `rgb(${red * 0.66}, ${green * 0.66}, ${blue * 0.66})`,
      text: isLight ? "#10181c" : "#ffffff",
    };
  });
  const hatch = hatching(pen, palette);
  // It is made for a canvas that is not scaled.
  hatch?.setTransform(new DOMMatrix().scale(1 / devicePixelRatio));
  return { hatch, inks, patterns: patternTiles(pen) };
}

function drawRow(pen: CanvasRenderingContext2D, scene: Scene, row: Row, tools: Tools): void {
  const top = yOf(scene, row);
  const { view, palette, labels, width } = scene;
  for (const [from, to] of row.unavailable) {
    if (to <= view.from || from >= view.to) continue;
    const left = xOf(scene, from);
    const wide = Math.max(1, xOf(scene, to) - left);
    pen.fillStyle = withAlpha(palette("--idle"), 0.12);
    pen.fillRect(left, top, wide, row.height);
    if (!tools.hatch) continue;
    pen.fillStyle = tools.hatch;
    pen.fillRect(left, top, wide, row.height);
  }
  for (const [lane, bars] of row.lanes.entries()) {
    const barTop = top + laneTop(row, lane);
    let painted = labels;
    for (let place = firstEndingAfter(bars, view.from); place < bars.length; place += 1) {
      const bar = bars[place];
      if (!bar || bar.from > view.to) break;
      const right = xOf(scene, bar.end);
      // Of bars that share a pixel the first is drawn.
      if (right < painted + 0.5 && right - xOf(scene, bar.from) < 0.5) continue;
      const next = bars[place + 1];
      const room = (next ? xOf(scene, next.from) : width) - right;
      drawBar(pen, scene, tools, { bar, top: barTop, height: laneHeight(row), room });
      painted = Math.max(painted, Math.ceil(right));
    }
  }
}

interface Placed {
  readonly bar: Bar;
  readonly top: number;
  readonly height: number;
  /** To its right, up to the next one. */
  readonly room: number;
}

function drawBar(
  pen: CanvasRenderingContext2D,
  scene: Scene,
  tools: Tools,
  { bar, top, height, room }: Placed,
): void {
  const { task } = bar;
  const marks = scene.layout.jobs.get(task.job);
  const ink = tools.inks[marks?.hue ?? 0];
  if (!ink) return;
  const start = xOf(scene, task.start);
  const end = Math.max(start + 1, xOf(scene, bar.end));
  const left = Math.max(scene.labels - 4, start);
  const right = Math.min(scene.width + 4, end);
  const wide = right - left;
  const isBack = scene.picked !== null && scene.picked !== task.job;
  pen.globalAlpha = isBack ? STEPPED_BACK : 1;
  if (task.setup > 0) drawSetup(pen, scene, ink, xOf(scene, bar.from), start, top, height);
  if (wide > 0) {
    const gap = wide > 3 ? 0.5 : 0;
    pen.fillStyle = ink.fill;
    pen.fillRect(left, top, wide - gap, height);
    const pattern = tools.patterns[marks?.pattern ?? 0];
    if (pattern && wide > 5) {
      pen.fillStyle = pattern;
      pen.fillRect(left, top, wide - gap, height);
    }
    if (wide > 4) {
      pen.strokeStyle = ink.edge;
      pen.lineWidth = 1;
      pen.strokeRect(left + 0.5, top + 0.5, wide - gap - 1, height - 1);
    }
    // On a bar that has stepped back nobody could read it.
    if (wide > 18 && height > 12 && !isBack) {
      drawName(pen, ink, marks, bar, { left, top, wide: wide - gap, height });
    }
  }
  if (marks && marks.job.tardiness > 0 && marks.last === task) {
    drawLateness(pen, scene, marks, { right: end, top, height, room });
  }
  pen.globalAlpha = 1;
}

function drawSetup(
  pen: CanvasRenderingContext2D,
  { labels }: Scene,
  ink: Ink,
  from: number,
  to: number,
  top: number,
  height: number,
): void {
  const left = Math.max(labels - 4, from);
  const wide = to - left;
  if (wide <= 0) return;
  const third = Math.round(height / 3);
  pen.fillStyle = ink.fill;
  pen.fillRect(left, top + third, wide, height - 2 * third);
  if (wide < 6) return;
  pen.fillRect(left, top + 2, 1.5, height - 4);
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly wide: number;
  readonly height: number;
}

function drawName(
  pen: CanvasRenderingContext2D,
  ink: Ink,
  marks: JobMarks | undefined,
  { task }: Bar,
  { left, top, wide, height }: Box,
): void {
  pen.font = `11px ${FONT}`;
  const room = wide - 6;
  const short = marks?.short ?? task.job;
  const words = [taskName(task, marks?.job), marks ? jobName(marks.job) : task.job, short];
  const fitting = words.find((each) => pen.measureText(each).width <= room);
  const shown = fitting ?? cut(pen, short, room);
  if (!shown) return;
  if (marks && marks.pattern > 0) {
    // What is written on a pattern stands on the plain colour.
    pen.fillStyle = ink.fill;
    const written = Math.min(room, pen.measureText(shown).width);
    pen.fillRect(left + 1, top + 3, written + 4, height - 6);
  }
  pen.fillStyle = ink.text;
  pen.fillText(shown, left + 3, top + height / 2 + 0.5);
}

function cut(pen: CanvasRenderingContext2D, words: string, room: number): string {
  if (room < 14) return "";
  const each = pen.measureText(words).width / Math.max(1, words.length);
  const fitting = Math.floor(room / Math.max(1, each)) - 1;
  return fitting < 4 ? "" : `${words.slice(0, fitting)}…`;
}

function drawLateness(
  pen: CanvasRenderingContext2D,
  scene: Scene,
  { job }: JobMarks,
  at: { readonly right: number; readonly top: number; readonly height: number; readonly room: number },
): void {
  const bad = scene.palette("--late");
  pen.fillStyle = bad;
  pen.fillRect(at.right - 3, at.top - 2, 3, at.height + 4);
  const words = `late +${timeWords(job.tardiness, scene.unit)}`;
  pen.font = `600 10.5px ${FONT}`;
  const wide = pen.measureText(words).width + 8;
  if (at.room < wide + 4 || at.height < 12) return;
  pen.beginPath();
  pen.roundRect(at.right + 2, at.top + 3, wide, at.height - 6, 3);
  pen.fill();
  pen.fillStyle = scene.palette("--panel");
  pen.fillText(words, at.right + 6, at.top + at.height / 2 + 0.5);
}

/** Those with a line: the job that stands out, or the late ones while they are few. */
function dueJobs({ layout, picked, pointed }: Scene): readonly JobMarks[] {
  const chosen = layout.jobs.get(picked ?? pointed?.bar.task.job ?? "");
  if (chosen && chosen.job.due !== null) return [chosen];
  if (layout.late.length > MOST_LINES) return [];
  return layout.late.flatMap((job) => layout.jobs.get(job.id) ?? []);
}

function drawDueLines(pen: CanvasRenderingContext2D, scene: Scene): void {
  const { palette, height, view } = scene;
  for (const { job } of dueJobs(scene)) {
    if (job.due === null || job.due < view.from || job.due > view.to) continue;
    const x = Math.round(xOf(scene, job.due)) + 0.5;
    pen.strokeStyle = job.tardiness > 0 ? palette("--late") : palette("--muted");
    pen.lineWidth = 1.5;
    pen.setLineDash([5, 4]);
    pen.beginPath();
    pen.moveTo(x, AXIS_PX);
    pen.lineTo(x, height);
    pen.stroke();
    pen.setLineDash([]);
  }
}

function drawPointed(pen: CanvasRenderingContext2D, scene: Scene): void {
  const { pointed, layout } = scene;
  const row = pointed && layout.rows[pointed.row];
  if (!row) return;
  const { bar } = pointed;
  const left = xOf(scene, bar.from);
  const wide = Math.max(2, xOf(scene, bar.end) - left);
  pen.strokeStyle = scene.palette("--text");
  pen.lineWidth = 2;
  pen.strokeRect(left - 1, yOf(scene, row) + laneTop(row, bar.lane) - 1, wide + 2, laneHeight(row) + 2);
}

function drawLabels(pen: CanvasRenderingContext2D, scene: Scene): void {
  const { palette, labels, height } = scene;
  clipped(pen, 0, AXIS_PX, labels, height, () => {
    for (const row of rowsInSight(scene)) {
      const top = yOf(scene, row);
      const middle = top + Math.min(row.height, 40) / 2;
      pen.font = `12px ${FONT}`;
      pen.fillStyle = palette("--text");
      const room = labels - 16;
      const fits = pen.measureText(row.name).width <= room;
      pen.fillText(fits ? row.name : cut(pen, row.name, room), 8, middle - 5);
      drawUse(pen, scene, row, middle + 6);
    }
  });
}

/** How much of its time a machine works, and how much of it is set up. */
function drawUse(pen: CanvasRenderingContext2D, { palette, labels }: Scene, row: Row, y: number): void {
  const figure = `${Math.round((row.use.work + row.use.setup) * 100)} %`;
  const full = labels - 16 - 32;
  pen.fillStyle = palette("--line-strong");
  pen.fillRect(8, y, full, 4);
  const work = full * Math.min(1, row.use.work);
  const setup = Math.min(full - work, full * row.use.setup);
  pen.fillStyle = palette("--fill");
  pen.fillRect(8, y, work, 4);
  pen.fillStyle = palette("--fill-raised");
  pen.fillRect(8 + work, y, setup, 4);
  pen.font = `10.5px ${FONT}`;
  pen.fillStyle = palette("--muted");
  pen.textAlign = "right";
  pen.fillText(figure, labels - 8, y + 2);
  pen.textAlign = "left";
}

function drawAxis(pen: CanvasRenderingContext2D, scene: Scene): void {
  const { palette, labels, width, layout, view, unit } = scene;
  pen.fillStyle = palette("--panel");
  pen.fillRect(0, 0, width, AXIS_PX - 1);
  pen.font = `11px ${FONT}`;
  pen.fillStyle = palette("--muted");
  pen.fillText(unit === "1" || unit === "" ? "Time" : `Time (${unit})`, 8, AXIS_PX / 2);
  pen.textAlign = "center";
  for (const tick of ticksOf(view, width - labels)) {
    const x = xOf(scene, tick);
    const words = timeWords(tick, "");
    const half = pen.measureText(words).width / 2;
    if (x - half < labels - 2 || x + half > width) continue;
    pen.fillText(words, x, AXIS_PX / 2 - 2);
  }
  pen.textAlign = "left";
  // A flag where a late job was due.
  pen.fillStyle = palette("--late");
  for (const { due } of layout.late) {
    if (due === null || due < view.from || due > view.to) continue;
    const x = xOf(scene, due);
    pen.beginPath();
    pen.moveTo(x - 4, AXIS_PX - 8);
    pen.lineTo(x + 4, AXIS_PX - 8);
    pen.lineTo(x, AXIS_PX - 1);
    pen.fill();
  }
}
