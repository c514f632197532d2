/** When a machine was last heard, in words. */

import { conditionOf, type Condition, type Machine } from "../fleet/state";
import { moment, span } from "./time";

export const CONDITION_NAMES: Readonly<Record<Condition, string>> = {
  online: "Online",
  degraded: "Degraded",
  offline: "Offline",
  off: "Off",
};

/** "seen 5 s ago", "silent for 20 s", "offline since 14:02 (3 h)". `now` is the collector's. */
export function presence(machine: Machine, now: number): string {
  if (machine.lastSeen <= 0) return "never seen yet";
  const silence = now - machine.lastSeen;
  switch (conditionOf(machine)) {
    case "online":
      return silence < 1500 ? "seen just now" : `seen ${span(silence)} ago`;
    case "degraded":
      return `silent for ${span(silence)}`;
    case "offline":
      return `offline since ${moment(machine.lastSeen, now)} (${span(silence)})`;
    case "off":
      return `off since ${moment(machine.lastSeen, now)} (${span(silence)})`;
  }
}
