/** What a machine measured while it was offline, and how long it takes until all of it is there. */

import type { Card } from "../wire/messages";
import { metric } from "./metric";

export interface CatchUp {
  readonly bytesLeft: number;
  /** By the collector's clock. */
  readonly at: number;
  /** How fast it becomes less; null: not known yet, or it does not. */
  readonly bytesPerSecond: number | null;
  /** It has become less: machines that come back together wait at random before they replay. */
  readonly begun: boolean;
}

/** A card without the figure is not catching up: what little is in a spool is not told. */
export function catchUpOf(card: Card, known: CatchUp | null): CatchUp | null {
  const bytesLeft = metric(card.values, "agent.spool_bytes");
  if (bytesLeft === undefined) return null;
  const at = card.last_seen;
  if (!known) return { bytesLeft, at, bytesPerSecond: null, begun: false };
  // Each batch is a word from the machine; the figure itself comes with its own pushes.
  if (bytesLeft === known.bytesLeft || at <= known.at) return known;
  const lately = ((known.bytesLeft - bytesLeft) * 1000) / (at - known.at);
  const trend = known.bytesPerSecond === null ? lately : (known.bytesPerSecond + lately) / 2;
  return {
    bytesLeft,
    at,
    bytesPerSecond: trend > 0 ? trend : null,
    begun: known.begun || lately > 0,
  };
}

export function secondsLeft({ bytesLeft, bytesPerSecond }: CatchUp): number | null {
  return bytesPerSecond === null ? null : bytesLeft / bytesPerSecond;
}
