/**
 * One stream for all the tabs of a browser.
 *
 * Browsers allow six connections to a host on HTTP/1.1, and people open twenty tabs. The hub holds
 * the one connection and the state it brought; a tab that comes later gets that state at once, and
 * the connection closes with the last tab. It runs in a SharedWorker, or in the page itself where
 * there are none.
 */

import { applyFrame, asFullFrame, EMPTY_FLEET, type Fleet } from "../fleet/state";
import type { FleetFrame } from "../wire/messages";
import { FleetConnection, type Listener } from "./connection";
import { TAB_GONE_AFTER_MS, type Connection, type FromTab, type ToTab } from "./protocol";

interface Tab {
  watching: boolean;
  heard: number;
}

export class FleetHub implements Listener {
  readonly #tabs = new Map<MessagePort, Tab>();
  #stream: FleetConnection | null = null;
  #connection: Connection = { state: "connecting" };
  /** null until the first frame. */
  #fleet: Fleet | null = null;
  #clockOffset = 0;

  add(port: MessagePort): void {
    port.onmessage = (event: MessageEvent<FromTab>) => {
      this.#onTab(port, event.data);
    };
    port.start();
  }

  onFrame(frame: FleetFrame): void {
    this.#fleet = applyFrame(this.#fleet ?? EMPTY_FLEET, frame);
    this.#clockOffset = frame.now - Date.now();
    this.#dropSilentTabs();
    for (const [port, tab] of this.#tabs) if (tab.watching) send(port, { kind: "frame", frame });
  }

  onConnection(connection: Connection): void {
    this.#connection = connection;
    if (connection.state === "signed-out") this.#fleet = null;
    for (const port of this.#tabs.keys()) send(port, { kind: "connection", connection });
  }

  #onTab(port: MessagePort, message: FromTab): void {
    if (message === "bye") {
      this.#drop(port);
      return;
    }
    const tab = this.#tabs.get(port) ?? this.#welcome(port);
    tab.heard = Date.now();
    if (message === "rest") {
      tab.watching = false;
    } else if (message === "watch") {
      tab.watching = true;
      if (this.#fleet) {
        const frame = asFullFrame(this.#fleet, Date.now() + this.#clockOffset);
        send(port, { kind: "frame", frame });
      }
      if (this.#connection.state === "lost") this.#stream?.retry();
    } else if (message === "retry") {
      this.#stream?.retry();
    }
  }

  #welcome(port: MessagePort): Tab {
    const tab = { watching: false, heard: Date.now() };
    this.#tabs.set(port, tab);
    // The first tab opens the stream; its first word, "connecting", goes to that tab too.
    if (this.#stream) send(port, { kind: "connection", connection: this.#connection });
    else this.#stream = new FleetConnection(this);
    return tab;
  }

  #drop(port: MessagePort): void {
    this.#tabs.delete(port);
    if (this.#tabs.size > 0) return;
    this.#stream?.close();
    this.#stream = null;
    this.#fleet = null;
  }

  /** A tab that crashed said no goodbye. One that only slept is welcomed again when it speaks. */
  #dropSilentTabs(): void {
    const oldest = Date.now() - TAB_GONE_AFTER_MS;
    for (const [port, tab] of this.#tabs) if (tab.heard < oldest) this.#drop(port);
  }
}

function send(port: MessagePort, message: ToTab): void {
  port.postMessage(message);
}
