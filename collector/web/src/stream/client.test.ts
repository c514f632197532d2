import { expect, it, vi } from "vitest";
import { connection, lineState } from "./client";
import type { WatchState } from "./protocol";
import { jobTopic } from "./topics";
import { receiveOfTopic } from "./watch";

vi.mock("./port", () => ({ want: vi.fn(), openPort: vi.fn(), retry: vi.fn() }));

it("is live for who may not see the fleet, and is told that there is no such job", () => {
  const say = (state: WatchState) => {
    receiveOfTopic({ kind: "topic", topic: jobTopic("a"), state });
    return lineState.value;
  };
  connection.value = { state: "forbidden" };
  expect(lineState.value).toBe("connecting");
  expect(say("missing")).toBe("live");
  expect(say("lost")).toBe("lost");
  expect(say("open")).toBe("live");
});
