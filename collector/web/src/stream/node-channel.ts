/** The stream of one machine, which makes its agent push every second while it is open. */

import { readPoint, type Point } from "../wire/messages";
import { Channel, type Memory } from "./channel";
import type { Connection, WatchState } from "./protocol";

export function nodeChannel(id: string): Channel<Point> {
  const path = `/api/nodes/${encodeURIComponent(id)}/events`;
  return new Channel({ path, event: "snapshot", read: readPoint }, new LatestPoint(), {
    event: (point) => ({ kind: "point", id, point }),
    connection: (connection) => {
      const state = stateOf(connection);
      return state && { kind: "node", id, state };
    },
  });
}

class LatestPoint implements Memory<Point> {
  #latest: Point | null = null;

  take(point: Point): void {
    this.#latest = point;
  }

  forget(): void {
    this.#latest = null;
  }

  recall(): Point | null {
    return this.#latest;
  }
}

/** null: not known yet. */
function stateOf({ state }: Connection): WatchState | null {
  if (state === "connecting") return null;
  return state === "live" ? "open" : "lost";
}
