/** One stream of the collector, shared by the tabs that want it. */

import { StreamConnection, type Listener, type Source } from "./connection";
import type { Connection, ToTab } from "./protocol";

/** What a stream brought so far, for tabs that come later. */
export interface Memory<T> {
  take(event: T): void;
  forget(): void;
  /** The event that brings somebody up to date who knows nothing; null while there is none. */
  recall(): T | null;
}

/** How tabs are told; null: not at all. */
export interface Speech<T> {
  event(event: T): ToTab;
  connection(connection: Connection): ToTab | null;
}

export class Channel<T> implements Listener<T> {
  readonly #memory: Memory<T>;
  readonly #speech: Speech<T>;
  /** Each tab, and whether somebody looks at it: events are for those alone. */
  readonly #tabs = new Map<MessagePort, boolean>();
  readonly #stream: StreamConnection<T>;
  #connection: Connection = { state: "connecting" };

  constructor(source: Source<T>, memory: Memory<T>, speech: Speech<T>) {
    this.#memory = memory;
    this.#speech = speech;
    this.#stream = new StreamConnection(source, this);
  }

  /** Lets a tab in, and notes whether somebody looks at it; who begins to is told what is known. */
  join(port: MessagePort, looks: boolean): void {
    const looked = this.#tabs.get(port);
    this.#tabs.set(port, looks);
    if (looked === undefined) say(port, this.#speech.connection(this.#connection));
    if (!looks || looked) return;
    const known = this.#memory.recall();
    if (known !== null) say(port, this.#speech.event(known));
    if (this.#connection.state === "lost") this.#stream.retry();
  }

  leave(port: MessagePort): void {
    this.#tabs.delete(port);
  }

  retry(): void {
    this.#stream.retry();
  }

  close(): void {
    this.#stream.close();
  }

  onEvent(event: T): void {
    this.#memory.take(event);
    const message = this.#speech.event(event);
    for (const [port, looks] of this.#tabs) if (looks) say(port, message);
  }

  onConnection(connection: Connection): void {
    this.#connection = connection;
    if (connection.state === "signed-out" || connection.state === "forbidden") {
      this.#memory.forget();
    }
    const message = this.#speech.connection(connection);
    for (const port of this.#tabs.keys()) say(port, message);
  }
}

function say(port: MessagePort, message: ToTab | null): void {
  if (message) port.postMessage(message);
}
