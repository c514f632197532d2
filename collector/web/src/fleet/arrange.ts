/**
 * Which machines stand where.
 *
 * A list sorted by a live figure must not jump under the hand: between two sortings it is only
 * mended, so that what is there keeps its place and what is new comes last.
 */

import { filterFor } from "./filter";
import type { FleetQuery } from "./query";
import { compareBy } from "./sort";
import type { Fleet, Machine } from "./state";

export function arrange(fleet: Fleet, query: FleetQuery): readonly string[] {
  const wanted = filterFor(query);
  const machines: Machine[] = [];
  for (const machine of fleet.values()) if (wanted(machine)) machines.push(machine);
  return machines.sort(compareBy(query.sort, query.direction)).map((machine) => machine.id);
}

/** Keeps every place, but for machines that are gone; newcomers follow. Same array if none moved. */
export function mend(order: readonly string[], fleet: Fleet, query: FleetQuery): readonly string[] {
  const kept = order.filter((id) => fleet.has(id));
  const known = new Set(kept);
  const wanted = filterFor(query);
  const added: string[] = [];
  for (const machine of fleet.values()) {
    if (!known.has(machine.id) && wanted(machine)) added.push(machine.id);
  }
  return added.length === 0 && kept.length === order.length ? order : [...kept, ...added];
}
