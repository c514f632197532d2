/** Which machines the query asks for. */

import { conditionOf, type Machine } from "./state";
import type { FleetQuery } from "./query";

type Filter = Pick<FleetQuery, "statuses" | "tags" | "search">;

/** Every word of the search must occur in the name, the id, the OS or a tag. */
export function filterFor(query: Filter): (machine: Machine) => boolean {
  const words = query.search.toLowerCase().split(/\s+/).filter(Boolean);
  return (machine) =>
    (query.statuses.length === 0 || query.statuses.includes(conditionOf(machine))) &&
    query.tags.every((tag) => machine.facts.tags.includes(tag)) &&
    words.every((word) => machine.searchable.includes(word));
}
