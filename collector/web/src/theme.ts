/** Light or dark: the system's choice, unless somebody chose otherwise in this browser. */

import { signal } from "@preact/signals";

export type Theme = "light" | "dark";

const KEY = "forge-theme";

const system = matchMedia("(prefers-color-scheme: dark)");

export const theme = signal<Theme>(chosen() ?? systemTheme());

/** Sets the theme on <html>; the style sheet does the rest. */
export function applyTheme(): void {
  document.documentElement.dataset["theme"] = theme.value;
}

export function toggleTheme(): void {
  theme.value = theme.value === "dark" ? "light" : "dark";
  applyTheme();
  try {
    // A choice that is the system's own is no choice: follow the system again.
    if (theme.value === systemTheme()) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme.value);
  } catch {
    // Without storage the choice holds for this page.
  }
}

system.addEventListener("change", () => {
  theme.value = chosen() ?? systemTheme();
  applyTheme();
});

function systemTheme(): Theme {
  return system.matches ? "dark" : "light";
}

function chosen(): Theme | null {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : null;
  } catch {
    return null;
  }
}
