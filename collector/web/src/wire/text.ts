/**
 * Makes text from a machine harmless to the page around it.
 *
 * Control characters, bidirectional overrides, invisible format characters and line separators
 * could hide or reorder what stands beside a name; stacks of combining marks could paint over it.
 * What is left is one line of ordinary text. Joiners (U+200C, U+200D) stay: scripts need them.
 */

const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]+/gu;
const COLOURS = /\u001b\[[0-9;]*m/g;
const STACKED_MARKS = /(\p{M}{2})\p{M}+/gu;

/** Several lines of somebody's log: each harmless as above, without a terminal's colours. */
export function plainLines(text: string): string {
  return text
    .replace(COLOURS, "")
    .split(/\r\n|\n|\r/)
    .map((line) => line.replace(/\t/g, "    ").replace(UNSEEN, " ").replace(STACKED_MARKS, "$1"))
    .join("\n");
}

/**
 * JSON for people: indented, but what fits in a line and holds no further list or object stands in
 * one. What could not be seen in it is written out, as \\u202e.
 */
export function prettyJson(value: unknown): string {
  return indented(value, "").replace(UNSEEN, (unseen) =>
    // Line breaks are the indenting's own: in strings they are written out already.
    unseen.replace(/./gu, escaped),
  );
}

const FITS_IN_A_LINE = 90;

function indented(value: unknown, margin: string): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const entries = Object.entries(value) as [string, unknown][];
  if (entries.length === 0) return `${open}${close}`;
  const inner = `${margin}  `;
  const parts = entries.map(([key, part]) => {
    const words = indented(part, inner);
    return Array.isArray(value) ? words : `${JSON.stringify(key)}: ${words}`;
  });
  const isFlat = entries.every(([, part]) => typeof part !== "object" || part === null);
  const length = parts.reduce((sum, part) => sum + part.length + 2, 2);
  if (isFlat && length <= FITS_IN_A_LINE) return `${open}${parts.join(", ")}${close}`;
  if (isFlat && Array.isArray(value)) {
    return `${open}\n${inWrappedLines(parts, inner)}\n${margin}${close}`;
  }
  return `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${margin}${close}`;
}

function inWrappedLines(parts: readonly string[], margin: string): string {
  const lines: string[] = [];
  let line = "";
  for (const [place, part] of parts.entries()) {
    const word = place < parts.length - 1 ? `${part},` : part;
    if (line && line.length + word.length >= FITS_IN_A_LINE) {
      lines.push(margin + line);
      line = "";
    }
    line = line ? `${line} ${word}` : word;
  }
  return [...lines, margin + line].join("\n");
}

function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, place) => {
    const code = character.charCodeAt(place).toString(16);
    return `\\u${code.padStart(4, "0")}`;
  }).join("");
}

export function plain(text: string): string {
  return text.replace(UNSEEN, " ").replace(STACKED_MARKS, "$1").trim();
}
