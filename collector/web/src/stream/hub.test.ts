import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { card, frame } from "../fleet/samples";
import { Hub } from "./hub";
import { fleetEvent, pointEvent, PretendCollector, PretendTab } from "./pretend";

let collector: PretendCollector;
let hub: Hub;
let tabs: PretendTab[];

beforeEach(() => {
  collector = new PretendCollector();
  hub = new Hub();
  tabs = [];
});

afterEach(() => {
  for (const one of tabs) one.close();
  vi.unstubAllGlobals();
});

function tab(): PretendTab {
  const one = new PretendTab(hub);
  tabs.push(one);
  return one;
}

describe("the fleet's stream", () => {
  const asked = (times: number) => vi.waitUntil(() => collector.asked.length === times);

  it("is one for all tabs, and a later one is told everything", async () => {
    const first = tab();
    first.look();
    await asked(1);
    collector.asked[0]?.send(fleetEvent("e.1", frame({ nodes: [card("a", { cpu: [1] })] })));
    const delta = frame({ full: false, nodes: [card("a", { cpu: [2], facts: null })] });
    collector.asked[0]?.send(fleetEvent("e.2", delta));
    await vi.waitUntil(() => first.frames().length === 2);

    const second = tab();
    second.look();
    await vi.waitUntil(() => second.frames().length === 1);
    expect(second.frames()[0]).toMatchObject({ full: true, nodes: [{ id: "a", cpu: [1, 2] }] });
    expect(second.states()).toEqual(["live"]);
    expect(collector.asked).toHaveLength(1);
  });

  it("spares a tab nobody looks at, and brings it up to date when somebody does", async () => {
    const hidden = tab();
    hidden.rest();
    await asked(1);
    collector.asked[0]?.send(fleetEvent("e.1", frame({ nodes: [card("a")] })));
    await vi.waitUntil(() => hidden.states().includes("live"));
    expect(hidden.frames()).toEqual([]);
    hidden.look();
    await vi.waitUntil(() => hidden.frames().length === 1);
  });

  it("tells a tab that goes on looking nothing twice", async () => {
    const only = tab();
    only.look();
    await asked(1);
    collector.asked[0]?.send(fleetEvent("e.1", frame()));
    await vi.waitUntil(() => only.frames().length === 1);
    only.look();
    only.look("a");
    await asked(2);
    expect(only.frames()).toHaveLength(1);
  });

  it("is lost with a word, and goes on from where it was", async () => {
    const only = tab();
    only.look();
    await asked(1);
    collector.asked[0]?.send(fleetEvent("e.7", frame()));
    await vi.waitUntil(() => only.frames().length === 1);
    collector.asked[0]?.end();
    await vi.waitUntil(() => only.states().includes("lost"));
    only.say({ kind: "retry" });
    await asked(2);
    expect(collector.asked[1]?.lastEventId).toBe("e.7");
    await vi.waitUntil(() => only.states().at(-1) === "live");
  });

  it("is not trusted after a frame that could not be read: everything is asked for", async () => {
    const only = tab();
    only.look();
    await asked(1);
    collector.asked[0]?.send(fleetEvent("e.7", frame()));
    collector.asked[0]?.send("event: fleet\ndata: {}\n\n");
    await vi.waitUntil(() => only.states().includes("lost"));
    only.say({ kind: "retry" });
    await asked(2);
    expect(collector.asked[1]?.lastEventId).toBeNull();
  });

  it("says when the session is over, and waits to be asked again", async () => {
    collector.status = 401;
    const only = tab();
    only.look();
    await vi.waitUntil(() => only.states().includes("signed-out"));
    collector.status = 200;
    only.say({ kind: "retry" });
    await vi.waitUntil(() => only.states().at(-1) === "live");
  });

  it("closes with the last tab", async () => {
    const first = tab();
    first.look();
    await asked(1);
    const second = tab();
    second.look();
    await vi.waitUntil(() => second.states().length > 0);
    first.close();
    second.close();
    await vi.waitUntil(() => collector.asked[0]?.left());
    tab().look();
    await asked(2);
  });

  it("closed while it waits to try again, tries no more", async () => {
    const only = tab();
    only.look();
    await asked(1);
    collector.asked[0]?.end();
    await vi.waitUntil(() => only.states().includes("lost"));
    only.close();
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(collector.asked).toHaveLength(1);
  });
});

describe("the stream of a machine", () => {
  const stream = (id: string) => collector.open(`/api/nodes/${id}/events`).at(-1);
  const watching = async (...ids: readonly string[]) => {
    await vi.waitFor(() => {
      expect(collector.watched()).toEqual(ids);
    });
  };

  it("is one for all tabs that watch it, and tells a later one the latest at once", async () => {
    const first = tab();
    first.look("a");
    await watching("a");
    stream("a")?.send(pointEvent(1000, { "cpu.pct": 3 }));
    stream("a")?.send(pointEvent(2000, { "cpu.pct": 4 }));
    await vi.waitUntil(() => first.pointsOf("a").length === 2);
    expect(first.statesOf("a")).toEqual(["open"]);

    const second = tab();
    second.look("a");
    await vi.waitUntil(() => second.pointsOf("a").length === 1);
    expect(second.pointsOf("a")).toEqual([{ ts: 2000, values: new Map([["cpu.pct", 4]]) }]);
    expect(second.statesOf("a")).toEqual(["open"]);
    expect(collector.watched()).toEqual(["a"]);
  });

  it("goes to those alone who watch it", async () => {
    const watcher = tab();
    const other = tab();
    watcher.look("a");
    other.look("b");
    await watching("a", "b");
    stream("a")?.send(pointEvent(1000));
    await vi.waitUntil(() => watcher.pointsOf("a").length === 1);
    expect(other.heard.filter((one) => one.kind === "news")).toEqual([]);
  });

  it("closes when nobody watches any more, or nobody looks", async () => {
    const first = tab();
    const second = tab();
    first.look("a");
    second.look("a");
    await watching("a");
    first.look();
    second.look("a");
    await vi.waitUntil(() => second.statesOf("a").length > 0);
    expect(collector.watched()).toEqual(["a"]);
    second.rest("a");
    await watching();
    second.look("a");
    await watching("a");
    await vi.waitUntil(() => second.statesOf("a").length === 2);
    expect(second.statesOf("a")).toEqual(["open", "open"]);
    second.close();
    await watching();
  });

  it("is for three machines at once, those wanted last; the others are told", async () => {
    const [first, second, third] = [tab(), tab(), tab()];
    first.look("a", "b");
    await watching("a", "b");
    second.look("c");
    await watching("a", "b", "c");
    third.look("d");
    await watching("b", "c", "d");
    await vi.waitUntil(() => first.statesOf("a").at(-1) === "refused");
    expect(first.statesOf("b")).toEqual(["open"]);

    // To say again what one watches is no new wish.
    first.look("a", "b");
    await vi.waitUntil(() => first.statesOf("a").filter((one) => one === "refused").length === 2);
    expect(collector.watched()).toEqual(["b", "c", "d"]);

    // One that is let go makes room.
    second.look();
    await watching("b", "d", "a");
    await vi.waitUntil(() => first.statesOf("a").at(-1) === "open");
  });

  it("begins anew after a break, without an id", async () => {
    const only = tab();
    only.look("a");
    await watching("a");
    stream("a")?.send(pointEvent(1000));
    await vi.waitUntil(() => only.pointsOf("a").length === 1);
    stream("a")?.end();
    await vi.waitUntil(() => only.statesOf("a").at(-1) === "lost");
    only.say({ kind: "retry" });
    await watching("a");
    expect(stream("a")?.lastEventId).toBeNull();
    await vi.waitUntil(() => only.statesOf("a").at(-1) === "open");
  });

  it("is lost when the session is over, and opens again after signing in", async () => {
    collector.status = 401;
    const only = tab();
    only.look("a");
    await vi.waitUntil(() => only.statesOf("a").at(-1) === "lost");
    collector.status = 200;
    only.say({ kind: "retry" });
    await vi.waitUntil(() => only.statesOf("a").at(-1) === "open");
  });

  it("asks for any id by its name alone", async () => {
    tab().look("../tokens?x#y");
    await vi.waitUntil(() => collector.asked.length === 2);
    expect(collector.asked.map((one) => one.path)).toContain(
      "/api/nodes/..%2Ftokens%3Fx%23y/events",
    );
  });
});

describe("a tab that fell silent", () => {
  const ROUND_MS = 20_000;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    hub = new Hub();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it("is let go with what it watched, and known again by its next word", async () => {
    const silent = tab();
    silent.look("a");
    await vi.waitUntil(() => collector.watched().length === 1);
    const there = tab();
    for (let round = 0; round < 11; round += 1) {
      there.look();
      await vi.waitUntil(() => there.states().includes("live"));
      await new Promise((resolve) => setTimeout(resolve, 5));
      vi.advanceTimersByTime(ROUND_MS);
    }
    await vi.waitUntil(() => collector.watched().length === 0);
    expect(collector.open("/api/fleet/events")).toHaveLength(1);
    silent.look("a");
    await vi.waitUntil(() => collector.watched().length === 1);
  });
});

describe("the stream of jobs", () => {
  const jobsEvent = (jobs: readonly string[]) => {
    const frame = { now: 1, counts: { pending: jobs.length }, jobs: jobs.map(sent) };
    return `event: jobs\ndata: ${JSON.stringify(frame)}\n\n`;
  };
  const sent = (id: string) => ({
    id,
    type: "echo",
    status: "pending",
    created_at: 1,
    attempt_count: 0,
    max_attempts: 3,
    resource_class: "cpu",
  });

  it("is one for all tabs; a later one hears the counts, and asks for the rest", async () => {
    const first = tab();
    first.watch("jobs");
    await vi.waitUntil(() => collector.open("/api/jobs/events").length === 1);
    collector.open("/api/jobs/events")[0]?.send(jobsEvent(["a", "b"]));
    await vi.waitUntil(() => first.newsOf("jobs").length === 1);
    const second = tab();
    second.watch("jobs");
    await vi.waitUntil(() => second.newsOf("jobs").length === 1);
    expect(second.newsOf("jobs")).toMatchObject([
      { counts: new Map([["pending", 2]]), jobs: [], reload: true },
    ]);
    expect(collector.open("/api/jobs/events")).toHaveLength(1);
  });

  it("of one job is asked for by its id, and shares the room with machines", async () => {
    const only = tab();
    only.watch("job/a b", "node/m", "jobs");
    await vi.waitUntil(() => collector.open("/api/jobs/events?id=a%20b").length === 1);
    only.watch("node/m", "node/n", "node/o");
    await vi.waitUntil(() => collector.open("/api/jobs/events?id=a%20b").length === 0);
    expect(collector.watched()).toEqual(["m", "n", "o"]);
  });

  it("of a job that there is not is no broken line; that of a collector that fails is", async () => {
    collector.status = 404;
    const only = tab();
    only.watch("job/gone");
    await vi.waitUntil(() => only.statesOfTopic("job/gone").at(-1) === "missing");
    collector.status = 503;
    only.say({ kind: "retry" });
    await vi.waitUntil(() => only.statesOfTopic("job/gone").at(-1) === "lost");
  });
});

it("tells who may not hear the fleet so, and tries again only when asked to", async () => {
  collector.status = 403;
  const only = tab();
  only.look();
  await vi.waitUntil(() => only.states().includes("forbidden"));
  collector.status = 200;
  only.say({ kind: "retry" });
  await vi.waitUntil(() => only.states().at(-1) === "live");
});
