/** A bar for a share of a whole, with its figure beside it. */

import { percent } from "../format/units";

/** From here on a share deserves a look, and from here on it is nearly all. */
const RAISED_PCT = 80;
const FULL_PCT = 92;

export function levelOf(pct: number): "normal" | "raised" | "full" {
  return pct >= FULL_PCT ? "full" : pct >= RAISED_PCT ? "raised" : "normal";
}

interface MeterProps {
  readonly label: string;
  /** undefined: this machine has no such figure. */
  readonly pct: number | undefined;
}

/** label, bar, figure: three cells for a grid that aligns them with their neighbours. */
export function Meter({ label, pct }: MeterProps) {
  return (
    <>
      <span class="meter-label">{label}</span>
      <Bar pct={pct} />
      <span class="meter-figure">{percent(pct)}</span>
    </>
  );
}

export function Bar({ pct }: { readonly pct: number | undefined }) {
  if (pct === undefined) return <span class="bar bar-none" aria-hidden="true" />;
  const share = Math.min(100, Math.max(0, pct)) / 100;
  return (
    <span class={`bar bar-${levelOf(pct)}`} aria-hidden="true">
      <span style={{ transform: `scaleX(${share.toFixed(3)})` }} />
    </span>
  );
}
