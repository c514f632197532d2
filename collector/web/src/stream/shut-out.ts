/**
 * Whether the shared worker is shut out while the page is not.
 *
 * Who accepts a browser's warning about a certificate accepts it for pages. Chromium then lets a
 * shared worker use the connections there are, but open none of its own: after the collector's next
 * restart the worker would never reach it again.
 */

import type { Connection } from "./protocol";

interface Ways {
  /** Whether the page itself gets an answer. */
  readonly reach: () => Promise<boolean>;
  /** Has the worker try at once. */
  readonly retry: () => void;
  /** Does without the worker. */
  readonly leave: () => void;
}

export class ShutOutCheck {
  readonly #ways: Ways;
  #asking = false;
  /** The page was answered since the worker last was: the worker has one more try. */
  #lastTry = false;

  constructor(ways: Ways) {
    this.#ways = ways;
  }

  /** To be told how the worker's connection is, each time that it says so. */
  heard(connection: Connection): void {
    // A reason means that there was an answer, though none that it can use.
    if (connection.state !== "lost" || connection.reason !== "") {
      if (connection.state !== "connecting") this.#lastTry = false;
    } else if (this.#lastTry) {
      this.#lastTry = false;
      this.#ways.leave();
    } else if (!this.#asking) {
      void this.#ask();
    }
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    const reached = await this.#ways.reach();
    this.#asking = false;
    if (!reached) return;
    this.#lastTry = true;
    this.#ways.retry();
  }
}
