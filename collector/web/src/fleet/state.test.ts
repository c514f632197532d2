import { describe, expect, it } from "vitest";
import {
  applyFrame,
  asFullFrame,
  conditionOf,
  EMPTY_FLEET,
  sharersOf,
  SPARKLINE_POINTS,
} from "./state";
import { card, facts, frame } from "./samples";

describe("applying a frame", () => {
  it("brings a machine with its facts, values and sparkline", () => {
    const fleet = applyFrame(EMPTY_FLEET, frame({ nodes: [card("nas-2", { cpu: [1, 2] })] }));
    const machine = fleet.get("nas-2");
    expect(machine?.facts.os).toBe("Debian GNU/Linux 12 (bookworm)");
    expect(machine?.values.get("cpu.pct")).toBe(12.5);
    expect(machine?.cpu).toEqual([1, 2]);
  });

  it("leaves what it had untouched, to the very object, where a card did not come", () => {
    const before = applyFrame(EMPTY_FLEET, frame({ nodes: [card("a"), card("b")] }));
    const after = applyFrame(before, frame({ full: false, nodes: [card("b")] }));
    expect(after.get("a")).toBe(before.get("a"));
    expect(after.get("b")).not.toBe(before.get("b"));
    expect(before.size).toBe(2);
  });

  it("keeps the facts of a card that comes without", () => {
    const before = applyFrame(
      EMPTY_FLEET,
      frame({ nodes: [card("a", { facts: facts({ name: "Attic" }) })] }),
    );
    const after = applyFrame(
      before,
      frame({ full: false, nodes: [card("a", { facts: null, status: "offline" })] }),
    );
    expect(after.get("a")?.name).toBe("Attic");
    expect(after.get("a")?.status).toBe("offline");
  });

  it("appends sparkline points and keeps the newest", () => {
    const many = Array.from({ length: SPARKLINE_POINTS }, (_, index) => index);
    const before = applyFrame(EMPTY_FLEET, frame({ nodes: [card("a", { cpu: many })] }));
    const after = applyFrame(before, frame({ full: false, nodes: [card("a", { cpu: [98, 99] })] }));
    expect(after.get("a")?.cpu).toHaveLength(SPARKLINE_POINTS);
    expect(after.get("a")?.cpu.at(0)).toBe(2);
    expect(after.get("a")?.cpu.at(-1)).toBe(99);
  });

  it("replaces values: one that stopped coming is gone", () => {
    const before = applyFrame(EMPTY_FLEET, frame({ nodes: [card("a")] }));
    const after = applyFrame(
      before,
      frame({ full: false, nodes: [card("a", { values: new Map() })] }),
    );
    expect(after.get("a")?.values.size).toBe(0);
  });

  it("forgets everything on a full frame, and who is gone on any", () => {
    const before = applyFrame(EMPTY_FLEET, frame({ nodes: [card("a", { cpu: [1] }), card("b")] }));
    expect([...applyFrame(before, frame({ full: false, gone: ["b"] })).keys()]).toEqual(["a"]);
    const anew = applyFrame(before, frame({ nodes: [card("a", { cpu: [7] })] }));
    expect([...anew.keys()]).toEqual(["a"]);
    expect(anew.get("a")?.cpu).toEqual([7]);
  });

  it("survives a card without facts for a machine it does not know", () => {
    const fleet = applyFrame(
      EMPTY_FLEET,
      frame({ full: false, nodes: [card("x", { facts: null })] }),
    );
    expect(fleet.get("x")?.name).toBe("x");
  });
});

it("tells another tab everything in one full frame", () => {
  const fleet = applyFrame(
    EMPTY_FLEET,
    frame({ nodes: [card("a", { cpu: [1, 2, 3] }), card("b")] }),
  );
  const told = asFullFrame(fleet, 5);
  expect(told.now).toBe(5);
  expect(applyFrame(EMPTY_FLEET, told)).toEqual(fleet);
});

it("calls a silent machine that is normally off, off", () => {
  const fleet = applyFrame(
    EMPTY_FLEET,
    frame({
      nodes: [
        card("pc", { status: "offline", facts: facts({ ephemeral: true }) }),
        card("late", { status: "degraded", facts: facts({ ephemeral: true }) }),
        card("nas", { status: "offline" }),
      ],
    }),
  );
  expect([...fleet.values()].map(conditionOf)).toEqual(["off", "off", "offline"]);
});

it("knows which machines share a token", () => {
  const shared = facts({ shares_token_of: "pc" });
  const fleet = applyFrame(
    EMPTY_FLEET,
    frame({
      nodes: [card("pc", { facts: shared }), card("pc.2", { facts: shared }), card("nas")],
    }),
  );
  const sharers = (id: string) => {
    const machine = fleet.get(id);
    return machine && sharersOf(machine, fleet).map((other) => other.id);
  };
  expect(sharers("pc")).toEqual(["pc.2"]);
  expect(sharers("pc.2")).toEqual(["pc"]);
  expect(sharers("nas")).toEqual([]);
});
