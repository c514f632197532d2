import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { card, frame } from "../fleet/samples";
import type { FleetFrame } from "../wire/messages";
import { backoffMs } from "./backoff";
import { FleetHub } from "./hub";
import type { FromTab, ToTab } from "./protocol";
import { SseReader } from "./sse";

describe("reading server-sent events", () => {
  const STREAM =
    'retry: 2000\n\nid: e.1\nevent: fleet\ndata: {"a":\ndata: 1}\n\n: beat\n\ndata:x\r\n\r\n';

  it("reads events, joins their lines, and skips heartbeats", () => {
    expect(new SseReader().push(STREAM)).toEqual([
      { event: "fleet", data: '{"a":\n1}', id: "e.1" },
      { event: "message", data: "x", id: "e.1" },
    ]);
  });

  it("reads the same however the stream is cut", () => {
    const whole = new SseReader().push(STREAM);
    for (let size = 1; size < 12; size += 1) {
      const reader = new SseReader();
      const events = [];
      for (let at = 0; at < STREAM.length; at += size) {
        events.push(...reader.push(STREAM.slice(at, at + size)));
      }
      expect(events).toEqual(whole);
    }
  });
});

it("waits longer after each failure, within bounds, and never in step with others", () => {
  expect(backoffMs(1, 0.5)).toBe(500);
  expect(backoffMs(3, 0.5)).toBe(2000);
  expect(backoffMs(50, 0.999)).toBeLessThanOrEqual(15_000);
  expect(backoffMs(50, 0)).toBeGreaterThanOrEqual(250);
});

describe("the hub", () => {
  /** The collector, as fetch sees it. */
  let collector: {
    send: (text: string) => void;
    end: () => void;
    lastEventId: string | null;
    left: () => boolean;
  }[];
  let status: number;

  beforeEach(() => {
    collector = [];
    status = 200;
    vi.stubGlobal("fetch", (_path: string, init: RequestInit) => {
      if (status !== 200) return Promise.resolve(new Response("{}", { status }));
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      collector.push({
        send: (text) => void writer.write(new TextEncoder().encode(text)),
        end: () => void writer.close(),
        lastEventId: new Headers(init.headers).get("last-event-id"),
        left: () => init.signal?.aborted ?? false,
      });
      return Promise.resolve(new Response(readable));
    });
  });

  afterEach(() => {
    vi.unstubAllGlobals();
  });

  function tab(hub: FleetHub) {
    const { port1, port2 } = new MessageChannel();
    const heard: ToTab[] = [];
    port1.onmessage = (event: MessageEvent<ToTab>) => heard.push(event.data);
    hub.add(port2);
    return {
      heard,
      say: (message: FromTab) => {
        port1.postMessage(message);
      },
      states: () =>
        heard.flatMap((one) => (one.kind === "connection" ? [one.connection.state] : [])),
      frames: () => heard.flatMap((one) => (one.kind === "frame" ? [one.frame] : [])),
      close: () => {
        port1.postMessage("bye" satisfies FromTab);
        setTimeout(() => {
          port1.close();
        });
      },
    };
  }

  function event(id: string, sent: FleetFrame): string {
    const nodes = sent.nodes.map((one) => ({ ...one, values: Object.fromEntries(one.values) }));
    return `id: ${id}\nevent: fleet\ndata: ${JSON.stringify({ ...sent, nodes })}\n\n`;
  }

  it("opens one stream for all tabs, and tells a later one everything", async () => {
    const hub = new FleetHub();
    const first = tab(hub);
    first.say("watch");
    await vi.waitUntil(() => collector.length === 1);
    collector[0]?.send(event("e.1", frame({ nodes: [card("a", { cpu: [1] })] })));
    collector[0]?.send(
      event("e.2", frame({ full: false, nodes: [card("a", { cpu: [2], facts: null })] })),
    );
    await vi.waitUntil(() => first.frames().length === 2);

    const second = tab(hub);
    second.say("watch");
    await vi.waitUntil(() => second.frames().length === 1);
    expect(second.frames()[0]).toMatchObject({ full: true, nodes: [{ id: "a", cpu: [1, 2] }] });
    expect(second.states()).toEqual(["live"]);
    expect(collector).toHaveLength(1);
    first.close();
    second.close();
  });

  it("spares a tab nobody looks at, and brings it up to date when somebody does", async () => {
    const hub = new FleetHub();
    const hidden = tab(hub);
    hidden.say("rest");
    await vi.waitUntil(() => collector.length === 1);
    collector[0]?.send(event("e.1", frame({ nodes: [card("a")] })));
    await vi.waitUntil(() => hidden.states().includes("live"));
    expect(hidden.frames()).toEqual([]);
    hidden.say("watch");
    await vi.waitUntil(() => hidden.frames().length === 1);
    hidden.close();
  });

  it("says that the connection is lost, and goes on from where it was", async () => {
    const hub = new FleetHub();
    const only = tab(hub);
    only.say("watch");
    await vi.waitUntil(() => collector.length === 1);
    collector[0]?.send(event("e.7", frame()));
    await vi.waitUntil(() => only.frames().length === 1);
    collector[0]?.end();
    await vi.waitUntil(() => only.states().includes("lost"));
    only.say("retry");
    await vi.waitUntil(() => collector.length === 2);
    expect(collector[1]?.lastEventId).toBe("e.7");
    await vi.waitUntil(() => only.states().at(-1) === "live");
    only.close();
  });

  it("does not trust a stream whose frame it could not read: it asks for everything", async () => {
    const hub = new FleetHub();
    const only = tab(hub);
    only.say("watch");
    await vi.waitUntil(() => collector.length === 1);
    collector[0]?.send(event("e.7", frame()));
    collector[0]?.send("event: fleet\ndata: {}\n\n");
    await vi.waitUntil(() => only.states().includes("lost"));
    only.say("retry");
    await vi.waitUntil(() => collector.length === 2);
    expect(collector[1]?.lastEventId).toBeNull();
    only.close();
  });

  it("tells the tabs when the session is over, and waits to be asked again", async () => {
    status = 401;
    const hub = new FleetHub();
    const only = tab(hub);
    only.say("watch");
    await vi.waitUntil(() => only.states().includes("signed-out"));
    status = 200;
    only.say("retry");
    await vi.waitUntil(() => only.states().at(-1) === "live");
    only.close();
  });

  it("closes the stream with the last tab", async () => {
    const hub = new FleetHub();
    const first = tab(hub);
    first.say("watch");
    await vi.waitUntil(() => collector.length === 1);
    const second = tab(hub);
    second.say("watch");
    await vi.waitUntil(() => second.states().length > 0);
    first.close();
    second.close();
    await vi.waitUntil(() => collector[0]?.left());
    const third = tab(hub);
    third.say("watch");
    await vi.waitUntil(() => collector.length === 2);
    third.close();
  });
});
