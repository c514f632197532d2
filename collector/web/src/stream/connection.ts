/** One connection to the fleet stream, kept up until it is closed. */

import { readFleetFrame, readProblem, type FleetFrame } from "../wire/messages";
import { Malformed, parse } from "../wire/read";
import { backoffMs } from "./backoff";
import type { Connection } from "./protocol";
import { SseReader } from "./sse";

const STREAM = "/api/fleet/events";

/** The collector sends a heartbeat every 15 s: this long without one and the line is dead. */
const SILENCE_MS = 40_000;

export interface Listener {
  onFrame(frame: FleetFrame): void;
  onConnection(connection: Connection): void;
}

class SignedOut extends Error {}

class Refused extends Error {}

export class FleetConnection {
  readonly #listener: Listener;
  readonly #closed = new AbortController();
  #lastEventId = "";
  #lastHeard = Date.now();
  #failures = 0;
  #wake: () => void = () => undefined;

  constructor(listener: Listener) {
    this.#listener = listener;
    void this.#keepUp();
  }

  close(): void {
    this.#closed.abort();
    this.#wake();
  }

  /** Does not wait any longer, if it waits. */
  retry(): void {
    this.#failures = 0;
    this.#wake();
  }

  async #keepUp(): Promise<void> {
    this.#listener.onConnection({ state: "connecting" });
    for (;;) {
      const failure = await this.#read();
      if (this.#closed.signal.aborted) return;
      if (failure instanceof SignedOut) {
        this.#lastEventId = "";
        this.#listener.onConnection({ state: "signed-out" });
        await this.#pause(null);
        this.#listener.onConnection({ state: "connecting" });
      } else {
        this.#failures += 1;
        const wait = backoffMs(this.#failures, Math.random());
        this.#listener.onConnection({
          state: "lost",
          since: this.#lastHeard,
          retryAt: Date.now() + wait,
          reason: reasonOf(failure),
        });
        await this.#pause(wait);
      }
    }
  }

  /** Reads until the stream ends, and returns why it did. */
  async #read(): Promise<unknown> {
    const attempt = new AbortController();
    const abort = () => {
      attempt.abort();
    };
    this.#closed.signal.addEventListener("abort", abort);
    let silence = setTimeout(abort, SILENCE_MS);
    try {
      const response = await fetch(STREAM, {
        headers: {
          accept: "text/event-stream",
          ...(this.#lastEventId && { "last-event-id": this.#lastEventId }),
        },
        cache: "no-store",
        signal: attempt.signal,
      });
      if (response.status === 401) return new SignedOut();
      if (!response.ok || !response.body) return await refusal(response);
      this.#lastHeard = Date.now();
      this.#listener.onConnection({ state: "live" });
      const events = new SseReader();
      const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await pieces.read();
        if (done) return new Error("the stream ended");
        clearTimeout(silence);
        silence = setTimeout(abort, SILENCE_MS);
        this.#lastHeard = Date.now();
        for (const { event, data, id } of events.push(value)) {
          if (event !== "fleet") continue;
          this.#listener.onFrame(parse(readFleetFrame, data));
          this.#lastEventId = id;
          this.#failures = 0;
        }
      }
    } catch (error) {
      // After a frame that could not be read, only a full one can be trusted.
      if (error instanceof Malformed) this.#lastEventId = "";
      return error;
    } finally {
      clearTimeout(silence);
      this.#closed.signal.removeEventListener("abort", abort);
      attempt.abort();
    }
  }

  /** Waits for so long, or without end; retry() and close() end it. */
  #pause(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

async function refusal(response: Response): Promise<Refused> {
  try {
    return new Refused(parse(readProblem, await response.text()).detail);
  } catch {
    return new Refused(`The collector answered with status ${response.status}.`);
  }
}

function reasonOf(failure: unknown): string {
  if (failure instanceof Refused) return failure.message;
  if (failure instanceof Malformed) {
    return `The collector's answer is not what this page expects (${failure.message}). Reload the page.`;
  }
  return "";
}
