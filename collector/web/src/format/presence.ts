/** When a machine was last heard, in words. */

import { secondsLeft } from "../fleet/catch-up";
import { conditionOf, type Condition, type Machine } from "../fleet/state";
import { moment, span } from "./time";
import { bytes } from "./units";

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

/** "catching up: 12.3 MB left, about 40 s", or "…, starts soon"; empty unless the machine is there and does so. */
export function catchingUp(machine: Machine): string {
  const { catchUp } = machine;
  if (machine.status !== "online" || !catchUp) return "";
  const left = secondsLeft(catchUp);
  const soon = catchUp.begun ? "" : ", starts soon";
  const time = left === null ? soon : `, about ${span(Math.max(1000, left * 1000))}`;
  return `catching up: ${bytes(catchUp.bytesLeft)} left${time}`;
}
