/** The style sheet's colours, for what is drawn on a canvas. */

export type Palette = (name: `--${string}`) => string;

export function paletteOf(element: Element): Palette {
  const style = getComputedStyle(element);
  return (name) => style.getPropertyValue(name).trim();
}

export function withAlpha(colour: string, alpha: number): string {
  const [red, green, blue] = channels(colour);
  return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
}

/** The tokens are all #rrggbb. */
export function channels(colour: string): readonly [number, number, number] {
  const value = Number.parseInt(colour.slice(1, 7), 16) || 0;
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

export const FONT =
  'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif';
