/** One connection to a stream of the collector, kept up until it is closed. */

import { readProblem } from "../wire/messages";
import { Malformed, parse, type Reader } from "../wire/read";
import { backoffMs } from "./backoff";
import type { Connection } from "./protocol";
import { SseReader } from "./sse";

/** The collector sends a heartbeat every 15 s: this long without one and the line is dead. */
const SILENCE_MS = 40_000;

/** Which stream, and how its events are read. */
export interface Source<T> {
  readonly path: string;
  readonly event: string;
  readonly read: Reader<T>;
}

export interface Listener<T> {
  onEvent(event: T): void;
  onConnection(connection: Connection): void;
}

class SignedOut extends Error {}

/** Another sign-in may hear it, this one never. */
class Forbidden extends Error {}

class Refused extends Error {
  readonly status: number;

  constructor(status: number, reason: string) {
    super(reason);
    this.status = status;
  }
}

export class StreamConnection<T> {
  readonly #source: Source<T>;
  readonly #listener: Listener<T>;
  readonly #closed = new AbortController();
  #lastEventId = "";
  #lastHeard = Date.now();
  #failures = 0;
  #wake: () => void = () => undefined;

  constructor(source: Source<T>, listener: Listener<T>) {
    this.#source = source;
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
    this.#tell({ state: "connecting" });
    for (;;) {
      const failure = await this.#read();
      if (this.#closed.signal.aborted) return;
      if (failure instanceof SignedOut || failure instanceof Forbidden) {
        this.#lastEventId = "";
        this.#tell({ state: failure instanceof Forbidden ? "forbidden" : "signed-out" });
        await this.#pause(null);
        this.#tell({ state: "connecting" });
      } else {
        this.#failures += 1;
        const wait = backoffMs(this.#failures, Math.random());
        this.#tell({
          state: "lost",
          since: this.#lastHeard,
          retryAt: Date.now() + wait,
          reason: reasonOf(failure),
          isMissing: failure instanceof Refused && failure.status === 404,
        });
        await this.#pause(wait);
      }
    }
  }

  /** Reads until the stream ends, and returns why it did. */
  async #read(): Promise<unknown> {
    if (this.#closed.signal.aborted) return null; // while it waited to try again
    const { path, event: name, read } = this.#source;
    const attempt = new AbortController();
    const abort = () => {
      attempt.abort();
    };
    this.#closed.signal.addEventListener("abort", abort);
    let silence = setTimeout(abort, SILENCE_MS);
    try {
      const response = await fetch(path, {
        headers: {
          accept: "text/event-stream",
          ...(this.#lastEventId && { "last-event-id": this.#lastEventId }),
        },
        cache: "no-store",
        signal: attempt.signal,
      });
      if (response.status === 401) return new SignedOut();
      if (response.status === 403) return new Forbidden();
      if (!response.ok || !response.body) return await refusal(response);
      this.#lastHeard = Date.now();
      this.#tell({ state: "live" });
      const events = new SseReader();
      const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await pieces.read();
        if (done) return new Error("the stream ended");
        clearTimeout(silence);
        silence = setTimeout(abort, SILENCE_MS);
        this.#lastHeard = Date.now();
        for (const { event, data, id } of events.push(value)) {
          if (event !== name) continue;
          this.#listener.onEvent(parse(read, data));
          this.#lastEventId = id;
          this.#failures = 0;
        }
      }
    } catch (error) {
      // After an event that could not be read, only everything anew can be trusted.
      if (error instanceof Malformed) this.#lastEventId = "";
      return error;
    } finally {
      clearTimeout(silence);
      this.#closed.signal.removeEventListener("abort", abort);
      attempt.abort();
    }
  }

  #tell(connection: Connection): void {
    if (!this.#closed.signal.aborted) this.#listener.onConnection(connection);
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
    return new Refused(response.status, parse(readProblem, await response.text()).detail);
  } catch {
    const { status } = response;
    return new Refused(status, `The collector answered with status ${status}.`);
  }
}

function reasonOf(failure: unknown): string {
  if (failure instanceof Refused) return failure.message;
  if (failure instanceof Malformed) {
    return `The collector's answer is not what this page expects (${failure.message}). Reload the page.`;
  }
  return "";
}
