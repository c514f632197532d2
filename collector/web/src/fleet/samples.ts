/** Cards and frames for the tests. */

import type { Card, CardFacts, FleetFrame } from "../wire/messages";
import { applyFrame, EMPTY_FLEET, type Fleet } from "./state";

export function facts(changes: Partial<CardFacts> = {}): CardFacts {
  return {
    name: "",
    os: "Debian GNU/Linux 12 (bookworm)",
    platform: "linux",
    tags: [],
    ephemeral: false,
    cpu_cores: 4,
    mem_total_bytes: 8 * 2 ** 30,
    agent_version: "0.1.0",
    first_seen: 1_795_000_000_000,
    clock_offset_ms: null,
    shares_token_of: null,
    ...changes,
  };
}

export function card(id: string, changes: Partial<Card> = {}): Card {
  return {
    id,
    status: "online",
    last_seen: 1_795_258_874_000,
    values: new Map([
      ["cpu.pct", 12.5],
      ["mem.pct", 40],
      ["disk.pct", 70],
    ]),
    cpu: [],
    jobs: 0,
    facts: facts(),
    ...changes,
  };
}

export function frame(changes: Partial<FleetFrame> = {}): FleetFrame {
  return { full: true, now: 1_795_258_875_000, nodes: [], gone: [], ...changes };
}

export function fleetOf(...cards: readonly Card[]): Fleet {
  return applyFrame(EMPTY_FLEET, frame({ nodes: cards }));
}

export function figures(values: Readonly<Record<string, number>>): ReadonlyMap<string, number> {
  return new Map(Object.entries(values));
}
