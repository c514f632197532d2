/** The page's keys: one list, which is also what the help shows. */

import { useLayoutEffect } from "preact/hooks";

/**
 * Listens for keys while the component is there. Keys that somebody types into a field, presses
 * with a modifier or in an open dialog are not commands.
 */
export function useKeys(handle: (key: string, event: KeyboardEvent) => boolean): void {
  useLayoutEffect(() => {
    const listener = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
      if (handle(event.key, event)) event.preventDefault();
    };
    document.addEventListener("keydown", listener);
    return () => {
      document.removeEventListener("keydown", listener);
    };
  }, [handle]);
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

export const KEYS: readonly (readonly [keys: readonly string[], what: string])[] = [
  [["/"], "Search; ↓ leads to what was found"],
  [["←", "→", "↑", "↓"], "Move between machines, or jobs"],
  [["Home", "End"], "The first and the last one"],
  [["Enter"], "Open it"],
  [["←", "→"], "On a machine’s page: the one before, the one after"],
  [["1", "…", "7"], "Range: 5 min to 30 d"],
  [["+", "−"], "Shorter or longer range"],
  [["⇧←", "⇧→"], "Earlier or later"],
  [["⌫"], "Back to the range before"],
  [["c"], "The cores as a grid"],
  [["n"], "Jobs: a new one"],
  [["r", "x"], "Jobs: try the one in focus again, cancel it"],
  [["w"], "Jobs: the workers"],
  [["Esc"], "Clear the search, or go back"],
  [["v"], "Cards or table"],
  [["t"], "Light or dark"],
  [["?"], "This help"],
];
