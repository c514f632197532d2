/** The address bar, as a signal. */

import { signal } from "@preact/signals";
import { FLEET, formatRoute, parseRoute, type Route } from "./route";

// Until there is a page of the collector's own machine, the bare address leads to the fleet.
if (!location.hash) history.replaceState(null, "", FLEET);

export const route = signal<Route>(parseRoute(location.hash));

/** The fleet page's address as it was last seen, so that going back keeps its filters. */
let lastFleet: Route = parseRoute("#/fleet");

addEventListener("hashchange", () => {
  follow();
});

function follow(): void {
  route.value = parseRoute(location.hash);
  if (route.value.page === "fleet") lastFleet = route.value;
}
follow();

export function go(to: Route): void {
  location.hash = formatRoute(to);
}

export function goToFleet(): void {
  go(lastFleet);
}

/** Changes the address without a step in the browser's history. */
export function replace(to: Route): void {
  history.replaceState(null, "", formatRoute(to));
  follow();
}
