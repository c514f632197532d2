/** What tells jobs of one colour apart: nothing, stripes, dots, bars. */

const TILE = 8;

type Draw = (pen: CanvasRenderingContext2D) => void;

const DRAWN: readonly Draw[] = [
  (pen) => {
    pen.lineWidth = 2;
    pen.beginPath();
    for (const shift of [-TILE, 0, TILE]) {
      pen.moveTo(shift - 1, TILE + 1);
      pen.lineTo(shift + TILE + 1, -1);
    }
    pen.stroke();
  },
  (pen) => {
    for (const [x, y] of [
      [2, 2],
      [6, 6],
    ] as const) {
      pen.beginPath();
      pen.arc(x, y, 1.4, 0, 2 * Math.PI);
      pen.fill();
    }
  },
  (pen) => {
    pen.fillRect(0, 0, 2, TILE);
    pen.fillRect(4, 0, 2, TILE);
  },
];

/** By their number; the first is none. */
export function patternTiles(
  target: CanvasRenderingContext2D,
): readonly (CanvasPattern | null)[] {
  const ratio = devicePixelRatio;
  return [
    null,
    ...DRAWN.map((draw) => {
      const tile = document.createElement("canvas");
      tile.width = tile.height = Math.round(TILE * ratio);
      const pen = tile.getContext("2d");
      if (!pen) return null;
      pen.scale(tile.width / TILE, tile.height / TILE);
      pen.strokeStyle = pen.fillStyle = "rgba(255, 255, 255, 0.42)";
      draw(pen);
      const pattern = target.createPattern(tile, "repeat");
      // The canvas is scaled; a pattern would be once more.
      pattern?.setTransform(new DOMMatrix().scale(1 / ratio));
      return pattern;
    }),
  ];
}
