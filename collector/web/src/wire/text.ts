/**
 * Makes text from a machine harmless to the page around it.
 *
 * Control characters, bidirectional overrides, invisible format characters and line separators
 * could hide or reorder what stands beside a name; stacks of combining marks could paint over it.
 * What is left is one line of ordinary text. Joiners (U+200C, U+200D) stay: scripts need them.
 */

const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]+/gu;
const STACKED_MARKS = /(\p{M}{2})\p{M}+/gu;

export function plain(text: string): string {
  return text.replace(UNSEEN, " ").replace(STACKED_MARKS, "$1").trim();
}
