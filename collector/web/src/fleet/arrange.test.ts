import { describe, expect, it } from "vitest";
import { arrange, mend } from "./arrange";
import { DEFAULT_QUERY, type FleetQuery } from "./query";
import { card, facts, figures, fleetOf } from "./samples";

function query(changes: Partial<FleetQuery>): FleetQuery {
  return { ...DEFAULT_QUERY, ...changes };
}

const FLEET = fleetOf(
  card("nas-10", { values: figures({ "cpu.pct": 90 }), facts: facts({ tags: ["lab", "rack-a"] }) }),
  card("nas-2", { values: figures({ "cpu.pct": 5 }), facts: facts({ tags: ["lab"] }) }),
  card("gone", { status: "offline", values: figures({ "cpu.pct": 99 }), last_seen: 1 }),
  card("pc", { status: "offline", facts: facts({ ephemeral: true, os: "Windows 11" }) }),
  card("late", { status: "degraded", values: figures({}) }),
);

describe("sorting", () => {
  it("puts what wants attention first, and names in their natural order", () => {
    expect(arrange(FLEET, query({}))).toEqual(["gone", "late", "nas-2", "nas-10", "pc"]);
  });

  it("counts a figure of a machine that is offline as no figure", () => {
    const ids = arrange(FLEET, query({ sort: "cpu", direction: "desc" }));
    expect(ids).toEqual(["nas-10", "nas-2", "late", "gone", "pc"]);
  });

  it("turns the order but not the tie-break around", () => {
    const ids = arrange(FLEET, query({ direction: "desc" }));
    expect(ids).toEqual(["pc", "nas-2", "nas-10", "late", "gone"]);
  });

  it("sorts by when a machine was seen", () => {
    expect(arrange(FLEET, query({ sort: "seen", direction: "asc" }))[0]).toBe("gone");
  });
});

describe("filtering", () => {
  it("finds all words, in names, systems and tags, in any case", () => {
    expect(arrange(FLEET, query({ search: "NAS rack" }))).toEqual(["nas-10"]);
    expect(arrange(FLEET, query({ search: "windows" }))).toEqual(["pc"]);
    expect(arrange(FLEET, query({ search: "  " }))).toHaveLength(5);
  });

  it("takes any of the statuses, and keeps off apart from offline", () => {
    expect(arrange(FLEET, query({ statuses: ["offline", "degraded"] }))).toEqual(["gone", "late"]);
    expect(arrange(FLEET, query({ statuses: ["off"] }))).toEqual(["pc"]);
  });

  it("wants all of the tags", () => {
    expect(arrange(FLEET, query({ tags: ["lab"] }))).toEqual(["nas-2", "nas-10"]);
    expect(arrange(FLEET, query({ tags: ["lab", "rack-a"] }))).toEqual(["nas-10"]);
  });
});

describe("mending an order between two sortings", () => {
  it("keeps every place, drops who is gone and appends newcomers that fit", () => {
    const before = ["nas-2", "forgotten", "nas-10", "gone"];
    expect(mend(before, FLEET, query({ search: "a" }))).toEqual([
      "nas-2",
      "nas-10",
      "gone",
      "late",
    ]);
  });

  it("keeps one that no longer fits: nothing vanishes under the hand", () => {
    expect(mend(["gone", "nas-2"], FLEET, query({ statuses: ["offline"] }))).toEqual([
      "gone",
      "nas-2",
    ]);
  });

  it("gives the same array back when nothing moved", () => {
    const before = arrange(FLEET, query({}));
    expect(mend(before, FLEET, query({}))).toBe(before);
  });
});
