import { describe, expect, it } from "vitest";
import { backoffMs } from "./backoff";
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
