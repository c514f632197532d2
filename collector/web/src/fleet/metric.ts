/** The values a card carries, by name, so that a misspelt one does not compile. */

import type { Values } from "../wire/messages";

export type CardMetric =
  | "cpu.pct"
  | "mem.pct"
  | "disk.pct"
  | "load.1m"
  | "uptime.s"
  | "net.rx_bytes_per_s"
  | "net.tx_bytes_per_s"
  | "agent.spool_bytes";

export function metric(values: Values, name: CardMetric): number | undefined {
  return values.get(name);
}
