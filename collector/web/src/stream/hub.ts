/**
 * The streams of all the tabs of a browser.
 *
 * Browsers allow six connections to a host on HTTP/1.1, and people open twenty tabs. The hub holds
 * one stream of the fleet, and one of each machine or job that somebody watches: those wanted last,
 * as many as there is room for. It runs in a SharedWorker, or in the page itself where there are none.
 */

import type { FleetFrame } from "../wire/messages";
import type { Channel } from "./channel";
import { fleetChannel } from "./fleet-channel";
import { MOST_TOPICS, TAB_GONE_AFTER_MS, type FromTab, type ToTab } from "./protocol";
import { topicChannel, type TopicChannel } from "./topic-channel";
import type { Topic } from "./topics";

const ROUND_MS = 20_000;
const SILENT_ROUNDS = TAB_GONE_AFTER_MS / ROUND_MS;

interface Tab {
  readonly topics: readonly Topic[];
  /** Counted by our own timer, which stands still while the machine sleeps, as the tab does. */
  silentRounds: number;
}

export class Hub {
  readonly #tabs = new Map<MessagePort, Tab>();
  #fleet: Channel<FleetFrame> | null = null;
  readonly #channels = new Map<Topic, TopicChannel>();
  /** What tabs watch; what a tab began to watch last comes last. */
  readonly #wanted = new Set<Topic>();

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
        this.#onHere(port, message.looks, message.looks ? message.topics : []);
        break;
      case "bye":
        this.#drop(port);
        break;
      case "retry":
        this.#fleet?.retry();
        for (const channel of this.#channels.values()) channel.retry();
    }
  }

  #onHere(port: MessagePort, looks: boolean, topics: readonly Topic[]): void {
    const before = this.#tabs.get(port)?.topics ?? [];
    this.#tabs.set(port, { topics, silentRounds: 0 });
    this.#fleet ??= fleetChannel();
    this.#fleet.join(port, looks);
    for (const topic of topics) {
      if (before.includes(topic)) continue;
      this.#wanted.delete(topic);
      this.#wanted.add(topic);
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

  /** Gives the streams that there are to what was wanted last. */
  #shareOut(): void {
    const watched = new Set(Array.from(this.#tabs.values(), (tab) => tab.topics).flat());
    for (const topic of this.#wanted) if (!watched.has(topic)) this.#wanted.delete(topic);
    const wanted = Array.from(this.#wanted);
    const granted = wanted.slice(-MOST_TOPICS);
    for (const [topic, channel] of this.#channels) {
      if (granted.includes(topic)) continue;
      channel.close();
      this.#channels.delete(topic);
    }
    for (const topic of wanted) {
      if (granted.includes(topic)) this.#grant(topic);
      else this.#refuse(topic);
    }
  }

  #grant(topic: Topic): void {
    const channel = this.#channels.get(topic) ?? topicChannel(topic);
    this.#channels.set(topic, channel);
    for (const [port, { topics }] of this.#tabs) {
      if (topics.includes(topic)) channel.join(port, true);
      else channel.leave(port);
    }
  }

  #refuse(topic: Topic): void {
    const refusal: ToTab = { kind: "topic", topic, state: "refused" };
    for (const [port, { topics }] of this.#tabs) {
      if (topics.includes(topic)) port.postMessage(refusal);
    }
  }

  /** A tab that crashed said no goodbye. One that is there after all is known by its next word. */
  #dropSilentTabs(): void {
    for (const [port, tab] of this.#tabs) {
      tab.silentRounds += 1;
      if (tab.silentRounds > SILENT_ROUNDS) this.#drop(port);
    }
  }
}
