/** Figures for people. Every one has a bounded width, so that a changing figure moves nothing. */

const DASH = "–";

/** 3.2 %, 42.0 %, 100 %. */
export function percent(value: number | undefined): string {
  if (value === undefined) return DASH;
  return `${value >= 99.95 ? value.toFixed(0) : value.toFixed(1)} %`;
}

const DECIMAL = ["B", "kB", "MB", "GB", "TB", "PB", "EB"] as const;

/** Sizes by powers of 1,000, with three digits that count: 512 B, 1.23 GB, 12.3 GB, 123 GB. */
export function bytes(value: number | undefined): string {
  return value === undefined ? DASH : scaled(value, 1000, DECIMAL);
}

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;

/** The same without zeros that say nothing: 16.0 GiB is 16 GiB. For figures that stay. */
export function brief(figure: string): string {
  return figure.replace(/(\.\d*?)0+(?= )/, "$1").replace(/\.(?= )/, "");
}

/** Memory comes in powers of 1,024: 15.6 GiB. */
export function memory(value: number | undefined): string {
  return value === undefined ? DASH : scaled(value, 1024, BINARY);
}

/** "15.7 of 32.0 GiB": a unit that both have is said once. */
export function partOf(part: string, whole: string): string {
  const [figure = "", unit] = part.split(" ");
  return whole.endsWith(` ${unit ?? ""}`) ? `${figure} of ${whole}` : `${part} of ${whole}`;
}

export function bytesPerSecond(value: number | undefined): string {
  return value === undefined ? DASH : `${scaled(value, 1000, DECIMAL)}/s`;
}

/** Without digits that say nothing: 1.5, 12, 1,200, 2.05 M. */
export function plainNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e15) return value.toExponential(2);
  if (size >= 99_950) return brief(bytes(value)).replace("kB", "k").replace("B", "");
  return value.toLocaleString("en-US", {
    maximumFractionDigits: size >= 100 ? 0 : size >= 1 ? 2 : 3,
  });
}

export function count(value: number): string {
  return value.toLocaleString("en-US");
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let size = Math.abs(value);
  let step = 0;
  // 999.5 of a unit would be rounded to 1000 of it, a digit too many: that is 1 of the next.
  while (size >= 999.5 && step < units.length - 1) {
    size /= base;
    step += 1;
  }
  const digits = step === 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return `${value < 0 ? "−" : ""}${size.toFixed(digits)} ${units[step] ?? ""}`;
}
