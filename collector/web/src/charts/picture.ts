/** A chart as a picture of its own: the drawing with its heading and its legend. */

import { channels, FONT, paletteOf } from "./palette";

const HEAD_PX = 50;
const EDGE_PX = 14;

/** @param figure where the chart stands: its colours and its legend are taken from there */
export function pictureOf(
  drawn: HTMLCanvasElement,
  figure: HTMLElement,
  heading: string,
): HTMLCanvasElement {
  const ratio = devicePixelRatio;
  const palette = paletteOf(figure);
  const canvas = document.createElement("canvas");
  canvas.width = drawn.width + 2 * EDGE_PX * ratio;
  canvas.height = drawn.height + (HEAD_PX + EDGE_PX) * ratio;
  const pen = canvas.getContext("2d");
  if (!pen) return canvas;
  pen.fillStyle = palette("--panel");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(drawn, EDGE_PX * ratio, HEAD_PX * ratio);
  pen.scale(ratio, ratio);
  const width = canvas.width / ratio - 2 * EDGE_PX;
  pen.textBaseline = "middle";
  pen.fillStyle = palette("--text");
  pen.font = `600 13px ${FONT}`;
  pen.fillText(heading, EDGE_PX, 17, width);
  pen.font = `12px ${FONT}`;
  let left = EDGE_PX;
  for (const { colour, words } of legendOf(figure)) {
    const wide = pen.measureText(words).width;
    if (left + wide > EDGE_PX + width) break;
    if (colour) {
      const [red, green, blue] = channels(palette(`--${colour}`));
      pen.fillStyle = `rgb(${red}, ${green}, ${blue})`;
      pen.fillRect(left, 36, 12, 3);
      left += 17;
    }
    pen.fillStyle = palette("--muted");
    pen.fillText(words, left, 38);
    left += wide + 18;
  }
  return canvas;
}

function legendOf(figure: HTMLElement): { colour: string | undefined; words: string }[] {
  return Array.from(figure.querySelectorAll<HTMLElement>(".legend li"), (entry) => ({
    colour: entry.querySelector<HTMLElement>("[data-colour]")?.dataset["colour"],
    words: entry.textContent.replace(/\s+/g, " ").trim(),
  }));
}
