/** A collector as fetch sees it, and tabs as the hub sees them, for the tests. */

import { vi } from "vitest";
import type { FleetFrame } from "../wire/messages";
import type { Hub } from "./hub";
import type { FromTab, ToTab } from "./protocol";
import { nodeTopic, type Topic } from "./topics";

/** One stream that was asked for. */
export interface Asked {
  readonly path: string;
  readonly lastEventId: string | null;
  send(text: string): void;
  end(): void;
  /** Whether whoever asked has gone. */
  left(): boolean;
}

export class PretendCollector {
  readonly asked: Asked[] = [];
  /** What it answers with; 200 is a stream. */
  status = 200;

  constructor() {
    vi.stubGlobal("fetch", (path: string, init: RequestInit) => this.#answer(path, init));
  }

  /** The streams of this path that are open. */
  open(path: string): readonly Asked[] {
    return this.asked.filter((one) => one.path === path && !one.left());
  }

  /** The machines whose stream is open, in the order in which they were asked for. */
  watched(): readonly string[] {
    return this.asked.flatMap((one) => {
      const id = /^\/api\/nodes\/(.+)\/events$/.exec(one.path)?.[1];
      return id === undefined || one.left() ? [] : [id];
    });
  }

  #answer(path: string, init: RequestInit): Promise<Response> {
    if (this.status !== 200) return Promise.resolve(new Response("{}", { status: this.status }));
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    let isOver = false;
    init.signal?.addEventListener("abort", () => {
      isOver = true;
      writer.abort().catch(() => undefined);
    });
    this.asked.push({
      path,
      lastEventId: new Headers(init.headers).get("last-event-id"),
      send: (text) => void writer.write(new TextEncoder().encode(text)).catch(() => undefined),
      end: () => void writer.close().catch(() => undefined),
      left: () => isOver,
    });
    return Promise.resolve(new Response(readable));
  }
}

export function fleetEvent(id: string, sent: FleetFrame): string {
  const nodes = sent.nodes.map((one) => ({ ...one, values: Object.fromEntries(one.values) }));
  return `id: ${id}\nevent: fleet\ndata: ${JSON.stringify({ ...sent, nodes })}\n\n`;
}

export function pointEvent(ts: number, values: Readonly<Record<string, number>> = {}): string {
  return `event: snapshot\ndata: ${JSON.stringify({ ts, values })}\n\n`;
}

export class PretendTab {
  readonly heard: ToTab[] = [];
  readonly #port: MessagePort;

  constructor(hub: Hub) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = (event: MessageEvent<ToTab>) => this.heard.push(event.data);
    hub.add(port2);
  }

  say(message: FromTab): void {
    this.#port.postMessage(message);
  }

  look(...nodes: readonly string[]): void {
    this.watch(...nodes.map(nodeTopic));
  }

  watch(...topics: readonly Topic[]): void {
    this.say({ kind: "here", looks: true, topics });
  }

  rest(...nodes: readonly string[]): void {
    this.say({ kind: "here", looks: false, topics: nodes.map(nodeTopic) });
  }

  close(): void {
    this.say({ kind: "bye" });
    setTimeout(() => {
      this.#port.close();
    });
  }

  states() {
    return this.heard.flatMap((one) => (one.kind === "connection" ? [one.connection.state] : []));
  }

  frames() {
    return this.heard.flatMap((one) => (one.kind === "frame" ? [one.frame] : []));
  }

  statesOf(id: string) {
    return this.statesOfTopic(nodeTopic(id));
  }

  pointsOf(id: string) {
    return this.newsOf(nodeTopic(id));
  }

  statesOfTopic(topic: Topic) {
    return this.heard.flatMap((one) =>
      one.kind === "topic" && one.topic === topic ? [one.state] : [],
    );
  }

  newsOf(topic: Topic) {
    return this.heard.flatMap((one) =>
      one.kind === "news" && one.topic === topic ? [one.news] : [],
    );
  }
}
