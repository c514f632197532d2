/** Draws silences as hatched stretches and reboots as dashed lines, behind and over a chart. */

import type uPlot from "uplot";
import type { Extent } from "../history/range";
import { withAlpha, type Palette } from "./palette";

export interface Marks {
  readonly silences: readonly Extent[];
  readonly reboots: readonly number[];
}

export function shadeSilences(chart: uPlot, { silences }: Marks, palette: Palette): void {
  if (silences.length === 0) return;
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const hatch = hatching(ctx, palette);
  for (const { from, to } of silences) {
    const left = chart.valToPos(from, "x", true);
    const width = Math.max(2, chart.valToPos(to, "x", true) - left);
    ctx.fillStyle = withAlpha(palette("--idle"), 0.07);
    ctx.fillRect(left, bbox.top, width, bbox.height);
    if (!hatch) continue;
    ctx.fillStyle = hatch;
    ctx.fillRect(left, bbox.top, width, bbox.height);
  }
  ctx.restore();
}

export function hatching(ctx: CanvasRenderingContext2D, palette: Palette): CanvasPattern | null {
  const size = 8 * devicePixelRatio;
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const pen = tile.getContext("2d");
  if (!pen) return null;
  pen.strokeStyle = withAlpha(palette("--idle"), 0.3);
  pen.lineWidth = devicePixelRatio;
  pen.beginPath();
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift - 1, size + 1);
    pen.lineTo(shift + size + 1, -1);
  }
  pen.stroke();
  return ctx.createPattern(tile, "repeat");
}

export function drawReboots(chart: uPlot, { reboots }: Marks, palette: Palette): void {
  const { ctx, bbox } = chart;
  const ratio = devicePixelRatio;
  for (const at of reboots) {
    const x = Math.round(chart.valToPos(at, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = palette("--warn");
    ctx.lineWidth = ratio;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    // A flag at the top, so that it is not told by colour alone.
    ctx.beginPath();
    ctx.moveTo(x - 4 * ratio, bbox.top - 1);
    ctx.lineTo(x + 4 * ratio, bbox.top - 1);
    ctx.lineTo(x, bbox.top + 6 * ratio);
    ctx.fill();
    ctx.restore();
  }
}
