/** The address bar, as a signal. */

import { signal } from "@preact/signals";
import { formatRoute, HOME, parseRoute, type Route } from "./route";

if (!location.hash) history.replaceState(null, "", HOME);

export const route = signal<Route>(parseRoute(location.hash));

/** The fleet page's address as it was last seen, so that going back keeps its filters. */
let lastFleet: Extract<Route, { page: "fleet" }> = { page: "fleet", params: new URLSearchParams() };

let lastJobs: Extract<Route, { page: "jobs" }> = { page: "jobs", params: new URLSearchParams() };

addEventListener("hashchange", () => {
  follow();
});

function follow(): void {
  route.value = parseRoute(location.hash);
  if (route.value.page === "fleet") lastFleet = route.value;
  if (route.value.page === "jobs") lastJobs = route.value;
}
follow();

export function go(to: Route): void {
  location.hash = formatRoute(to);
}

export function goToFleet(): void {
  go(lastFleet);
}

/** Back to the jobs as they were last filtered. */
export function goToJobs(): void {
  go(lastJobs);
}

/** What the fleet's view was, or is, sorted and filtered by. */
export function fleetParams(): URLSearchParams {
  return lastFleet.params;
}

/** Changes the address without a step in the browser's history. */
export function replace(to: Route): void {
  history.replaceState(null, "", formatRoute(to));
  follow();
}
