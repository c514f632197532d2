import { expect, it } from "vitest";
import { applyFrame, EMPTY_FLEET, type Fleet } from "../../fleet/state";
import type { Invite } from "../../wire/messages";
import { arrivals, withNews } from "./arrivals";

const INVITE: Invite = {
  id: "i",
  status: "open",
  uses: 3,
  used: 0,
  node_id: null,
  expires_at: 1,
  joined: [],
};

function fleetOf(lastSeen: Readonly<Record<string, number>>): Fleet {
  const nodes = Object.entries(lastSeen).map(([id, last_seen]) => ({
    id,
    status: "online" as const,
    last_seen,
    values: new Map<string, number>(),
    cpu: [], jobs: 0,
    facts: null,
  }));
  return applyFrame(EMPTY_FLEET, { full: true, now: 9, nodes, gone: [] });
}

it("tells who joined and who was heard, in the order they came", () => {
  const joined = withNews(new Map(), { ...INVITE, joined: ["b", "a"] }, EMPTY_FLEET, 9);
  expect(arrivals(joined, fleetOf({ b: 5, other: 5 }), 9)).toEqual([
    { id: "a", here: false, silent: false },
    { id: "b", here: true, silent: false },
  ]);
});

it("has a new machine here that pushed before it was seen to have joined", () => {
  const fleet = fleetOf({ a: 5 });
  const joined = withNews(new Map(), { ...INVITE, joined: ["a"] }, fleet, 9);
  expect(arrivals(joined, fleet, 9)).toMatchObject([{ id: "a", here: true }]);
});

it("takes what a node pushed before it was set up again for no news", () => {
  const again = { ...INVITE, uses: 1, node_id: "a", joined: ["a"] };
  const joined = withNews(new Map(), again, fleetOf({ a: 5 }), 9);
  expect(arrivals(joined, fleetOf({ a: 5 }), 9)).toMatchObject([{ id: "a", here: false }]);
  expect(arrivals(joined, fleetOf({ a: 6 }), 9)).toMatchObject([{ id: "a", here: true }]);
});

it("tells who is silent for too long, each from when it joined", () => {
  const first = withNews(new Map(), { ...INVITE, joined: ["a"] }, EMPTY_FLEET, 1000);
  const joined = withNews(first, { ...INVITE, joined: ["b", "a"] }, EMPTY_FLEET, 11_000);
  const silent = (fleet: Fleet, at: number) =>
    arrivals(joined, fleet, at).flatMap((one) => (one.silent ? [one.id] : []));
  expect(silent(EMPTY_FLEET, 30_999)).toEqual([]);
  expect(silent(EMPTY_FLEET, 31_000)).toEqual(["a"]);
  expect(silent(EMPTY_FLEET, 41_000)).toEqual(["a", "b"]);
  expect(silent(fleetOf({ a: 40_000 }), 41_000)).toEqual(["b"]);
});

it("stays what it is while there is no news", () => {
  const joined = withNews(new Map(), { ...INVITE, joined: ["a"] }, null, 9);
  expect(withNews(joined, { ...INVITE, joined: ["a"] }, null, 10)).toBe(joined);
});
