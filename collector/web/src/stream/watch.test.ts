import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Point } from "../wire/messages";
import type { WatchState } from "./protocol";
import { nodeTopic } from "./topics";
import { receiveOfTopic, watchNode } from "./watch";

const want = vi.hoisted(() => vi.fn<(ids: readonly string[]) => void>());
vi.mock("./port", () => ({ want }));

const point = (ts: number): Point => ({ ts, values: new Map() });

class Watching {
  readonly times: number[] = [];
  readonly states: WatchState[] = [];
  readonly stop: () => void;

  constructor(id: string) {
    this.stop = watchNode(
      id,
      ({ ts }) => this.times.push(ts),
      (state) => this.states.push(state),
    );
    watchings.push(this);
  }
}

let watchings: Watching[];

beforeEach(() => {
  watchings = [];
  want.mockClear();
});

afterEach(async () => {
  for (const one of watchings) one.stop();
  await settled();
});

/** Lets what was put off to the end of the turn happen. */
async function settled(): Promise<void> {
  await Promise.resolve();
}

function say(id: string, state: WatchState): void {
  receiveOfTopic({ kind: "topic", topic: nodeTopic(id), state });
}

function bring(id: string, ts: number): void {
  receiveOfTopic({ kind: "news", topic: nodeTopic(id), news: point(ts) });
}

describe("watching a machine", () => {
  it("wants it, and no more once it is told to stop", async () => {
    const first = new Watching("a");
    const second = new Watching("b");
    const third = new Watching("a");
    await settled();
    expect(want.mock.calls).toEqual([[["node/a", "node/b"]]]);
    first.stop();
    second.stop();
    await settled();
    expect(want.mock.lastCall).toEqual([["node/a"]]);
    third.stop();
    await settled();
    expect(want.mock.lastCall).toEqual([[]]);
  });

  it("passes points and states on to those who watch it", async () => {
    const [one, other] = [new Watching("a"), new Watching("b")];
    await settled();
    say("a", "open");
    bring("a", 1000);
    bring("a", 2000);
    bring("c", 3000);
    expect(one.states).toEqual(["open"]);
    expect(one.times).toEqual([1000, 2000]);
    expect([...other.times, ...other.states]).toEqual([]);
    one.stop();
    bring("a", 3000);
    expect(one.times).toEqual([1000, 2000]);
  });

  it("tells a point once, though a stream begins with the one it ended with", async () => {
    const only = new Watching("a");
    await settled();
    bring("a", 1000);
    say("a", "lost");
    say("a", "open");
    bring("a", 1000);
    bring("a", 2000);
    expect(only.times).toEqual([1000, 2000]);
  });

  it("says each time that the stream opens, and only then, what was said before", async () => {
    const only = new Watching("a");
    await settled();
    for (const state of ["open", "open", "lost", "lost", "refused", "refused", "open"] as const) {
      say("a", state);
    }
    expect(only.states).toEqual(["open", "open", "lost", "refused", "open"]);
  });

  it("tells one who comes later what is known, after watchNode has returned", async () => {
    const first = new Watching("a");
    await settled();
    say("a", "open");
    bring("a", 1000);
    const second = new Watching("a");
    expect(second.states).toEqual([]);
    await settled();
    expect(second.states).toEqual(["open"]);
    expect(second.times).toEqual([1000]);
    expect(first.times).toEqual([1000]);
  });

  it("does not let go for a view that makes way for another of the same machine", async () => {
    const first = new Watching("a");
    await settled();
    say("a", "open");
    bring("a", 1000);
    first.stop();
    const second = new Watching("a");
    await settled();
    expect(want.mock.calls).toEqual([[["node/a"]], [["node/a"]]]);
    expect(second.times).toEqual([1000]);
  });
});
