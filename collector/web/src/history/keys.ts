/** Metric keys: `metric`, or `metric/instance`, as metrics.py has them. */

import { plain } from "../wire/text";

export function metricOf(key: string): string {
  const slash = key.indexOf("/");
  return slash < 0 ? key : key.slice(0, slash);
}

/** What tells several series of one metric apart; empty where there is one. Not cleaned. */
export function instanceOf(key: string): string {
  const slash = key.indexOf("/");
  return slash < 0 ? "" : key.slice(slash + 1);
}

/** An instance as it may be shown: a node chose it. */
export function shownInstance(key: string): string {
  return plain(instanceOf(key)) || "(unnamed)";
}

const CORE_NAME_LENGTH = 5;

/** A core's number, which is what its agent called it. */
export function coreName(key: string | undefined): string {
  return key === undefined ? "" : shownInstance(key).slice(0, CORE_NAME_LENGTH);
}

/** The keys of one metric's instances, in the order in which people count. */
export function instanceKeys(keys: Iterable<string>, metric: string): string[] {
  const prefix = `${metric}/`;
  return Array.from(keys)
    .filter((key) => key.startsWith(prefix))
    .sort(inOrder);
}

const collator = new Intl.Collator("en", { numeric: true });

export function inOrder(a: string, b: string): number {
  return collator.compare(a, b);
}
