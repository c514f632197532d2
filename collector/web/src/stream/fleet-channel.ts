/** The stream of the whole fleet. */

import { applyFrame, asFullFrame, EMPTY_FLEET, type Fleet } from "../fleet/state";
import { readFleetFrame, type FleetFrame } from "../wire/messages";
import { Channel, type Memory } from "./channel";

const SOURCE = { path: "/api/fleet/events", event: "fleet", read: readFleetFrame };

export function fleetChannel(): Channel<FleetFrame> {
  return new Channel(SOURCE, new FleetMemory(), {
    event: (frame) => ({ kind: "frame", frame }),
    connection: (connection) => ({ kind: "connection", connection }),
  });
}

class FleetMemory implements Memory<FleetFrame> {
  /** null until the first frame. */
  #fleet: Fleet | null = null;
  #clockOffset = 0;

  take(frame: FleetFrame): void {
    this.#fleet = applyFrame(this.#fleet ?? EMPTY_FLEET, frame);
    this.#clockOffset = frame.now - Date.now();
  }

  forget(): void {
    this.#fleet = null;
  }

  recall(): FleetFrame | null {
    return this.#fleet && asFullFrame(this.#fleet, Date.now() + this.#clockOffset);
  }
}
