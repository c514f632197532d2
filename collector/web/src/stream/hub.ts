/**
 * The streams of all the tabs of a browser.
 *
 * Browsers allow six connections to a host on HTTP/1.1, and people open twenty tabs. The hub holds
 * one stream of the fleet, and one of each machine that somebody watches: those wanted last, as
 * many as there is room for. It runs in a SharedWorker, or in the page itself where there are none.
 */

import type { FleetFrame, Point } from "../wire/messages";
import type { Channel } from "./channel";
import { fleetChannel } from "./fleet-channel";
import { nodeChannel } from "./node-channel";
import { MOST_NODES, TAB_GONE_AFTER_MS, type FromTab, type ToTab } from "./protocol";

const ROUND_MS = 20_000;
const SILENT_ROUNDS = TAB_GONE_AFTER_MS / ROUND_MS;

interface Tab {
  readonly nodes: readonly string[];
  /** Counted by our own timer, which stands still while the machine sleeps, as the tab does. */
  silentRounds: number;
}

export class Hub {
  readonly #tabs = new Map<MessagePort, Tab>();
  #fleet: Channel<FleetFrame> | null = null;
  readonly #nodes = new Map<string, Channel<Point>>();
  /** The machines that tabs watch; the one that a tab began to watch last comes last. */
  readonly #wanted = new Set<string>();

  constructor() {
    setInterval(() => {
      this.#dropSilentTabs();
    }, ROUND_MS);
  }

  add(port: MessagePort): void {
    port.onmessage = (event: MessageEvent<FromTab>) => {
      this.#onTab(port, event.data);
    };
    port.start();
  }

  #onTab(port: MessagePort, message: FromTab): void {
    switch (message.kind) {
      case "here":
        this.#onHere(port, message.looks, message.looks ? message.nodes : []);
        break;
      case "bye":
        this.#drop(port);
        break;
      case "retry":
        this.#fleet?.retry();
        for (const channel of this.#nodes.values()) channel.retry();
    }
  }

  #onHere(port: MessagePort, looks: boolean, nodes: readonly string[]): void {
    const before = this.#tabs.get(port)?.nodes ?? [];
    this.#tabs.set(port, { nodes, silentRounds: 0 });
    this.#fleet ??= fleetChannel();
    this.#fleet.join(port, looks);
    for (const id of nodes) {
      if (before.includes(id)) continue;
      this.#wanted.delete(id);
      this.#wanted.add(id);
    }
    this.#shareOut();
  }

  #drop(port: MessagePort): void {
    if (!this.#tabs.delete(port)) return;
    this.#fleet?.leave(port);
    if (this.#tabs.size === 0) {
      this.#fleet?.close();
      this.#fleet = null;
    }
    this.#shareOut();
  }

  /** Gives the streams that there are to the machines wanted last. */
  #shareOut(): void {
    const watched = new Set(Array.from(this.#tabs.values(), (tab) => tab.nodes).flat());
    for (const id of this.#wanted) if (!watched.has(id)) this.#wanted.delete(id);
    const wanted = Array.from(this.#wanted);
    const granted = wanted.slice(-MOST_NODES);
    for (const [id, channel] of this.#nodes) {
      if (granted.includes(id)) continue;
      channel.close();
      this.#nodes.delete(id);
    }
    for (const id of wanted) {
      if (granted.includes(id)) this.#grant(id);
      else this.#refuse(id);
    }
  }

  #grant(id: string): void {
    const channel = this.#nodes.get(id) ?? nodeChannel(id);
    this.#nodes.set(id, channel);
    for (const [port, { nodes }] of this.#tabs) {
      if (nodes.includes(id)) channel.join(port, true);
      else channel.leave(port);
    }
  }

  #refuse(id: string): void {
    const refusal: ToTab = { kind: "node", id, state: "refused" };
    for (const [port, { nodes }] of this.#tabs) if (nodes.includes(id)) port.postMessage(refusal);
  }

  /** A tab that crashed said no goodbye. One that is there after all is known by its next word. */
  #dropSilentTabs(): void {
    for (const [port, tab] of this.#tabs) {
      tab.silentRounds += 1;
      if (tab.silentRounds > SILENT_ROUNDS) this.#drop(port);
    }
  }
}
