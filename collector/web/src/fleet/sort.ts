/** The order of machines. Ties fall back to the name, then the id: an order is always total. */

import { metric } from "./metric";
import type { Direction, SortKey } from "./query";
import { conditionOf, type Condition, type Machine } from "./state";

type Compare = (a: Machine, b: Machine) => number;

export function compareBy(sort: SortKey, direction: Direction): Compare {
  const compare = COMPARES[sort];
  const sign = direction === "asc" ? 1 : -1;
  return (a, b) => sign * compare(a, b) || byName(a, b);
}

/** What wants attention comes first. */
const URGENCY: Readonly<Record<Condition, number>> = { offline: 0, degraded: 1, online: 2, off: 3 };

const byName: Compare = (a, b) => ordinal(a.nameKey, b.nameKey) || ordinal(a.id, b.id);

const COMPARES: Readonly<Record<SortKey, Compare>> = {
  status: (a, b) => URGENCY[conditionOf(a)] - URGENCY[conditionOf(b)],
  name: byName,
  cpu: byFigure((machine) => metric(machine.values, "cpu.pct")),
  memory: byFigure((machine) => metric(machine.values, "mem.pct")),
  disk: byFigure((machine) => metric(machine.values, "disk.pct")),
  traffic: byFigure(({ values }) => {
    const received = metric(values, "net.rx_bytes_per_s");
    const sent = metric(values, "net.tx_bytes_per_s");
    return received === undefined && sent === undefined ? undefined : (received ?? 0) + (sent ?? 0);
  }),
  seen: (a, b) => a.lastSeen - b.lastSeen,
};

/** A live figure is of now: a machine that is offline, or has no such figure, counts as lowest. */
function byFigure(figure: (machine: Machine) => number | undefined): Compare {
  const rank = (machine: Machine) => (machine.status === "offline" ? -2 : (figure(machine) ?? -1));
  return (a, b) => rank(a) - rank(b);
}

function ordinal(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
