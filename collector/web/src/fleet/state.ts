/**
 * The fleet as this browser knows it: a map of machines, made from the stream's frames.
 *
 * A machine whose card did not come in a frame keeps its object, so that what draws it can tell
 * by identity that nothing changed.
 */

import { catchUpOf, type CatchUp } from "./catch-up";
import type { Card, CardFacts, FleetFrame, Status, Values } from "../wire/messages";

export const SPARKLINE_POINTS = 30;

export interface Machine {
  readonly id: string;
  readonly status: Status;
  readonly lastSeen: number;
  readonly values: Values;
  /** CPU in percent, oldest first, the newest SPARKLINE_POINTS. */
  readonly cpu: readonly number[];
  /** How many it works on. */
  readonly jobs: number;
  readonly facts: CardFacts;
  /** null: it has nothing to catch up with. */
  readonly catchUp: CatchUp | null;
  /** What people call it: its name, or its id where the name is empty. */
  readonly name: string;
  /** What the search looks at, in lower case. */
  readonly searchable: string;
  /** The name in a form whose plain order puts nas-2 before nas-10. */
  readonly nameKey: string;
}

export type Fleet = ReadonlyMap<string, Machine>;

export const EMPTY_FLEET: Fleet = new Map();

export function applyFrame(fleet: Fleet, frame: FleetFrame): Fleet {
  const next = new Map(frame.full ? EMPTY_FLEET : fleet);
  for (const id of frame.gone) next.delete(id);
  for (const card of frame.nodes) next.set(card.id, machineFrom(card, next.get(card.id)));
  return next;
}

/** The frame that brings an empty fleet to this state: what a tab that opens later is sent. */
export function asFullFrame(fleet: Fleet, now: number): FleetFrame {
  const nodes = Array.from(
    fleet.values(),
    ({ id, status, lastSeen, values, cpu, jobs, facts }): Card => ({
      id,
      status,
      last_seen: lastSeen,
      values,
      cpu,
      jobs,
      facts,
    }),
  );
  return { full: true, now, nodes, gone: [] };
}

function machineFrom(card: Card, known: Machine | undefined): Machine {
  const facts = card.facts ?? known?.facts ?? UNKNOWN_FACTS;
  const naming = known?.facts === facts ? known : namingOf(card.id, facts);
  return {
    id: card.id,
    status: card.status,
    lastSeen: card.last_seen,
    values: card.values,
    cpu: appended(known?.cpu ?? [], card.cpu),
    jobs: card.jobs,
    facts,
    catchUp: catchUpOf(card, known?.catchUp ?? null),
    name: naming.name,
    searchable: naming.searchable,
    nameKey: naming.nameKey,
  };
}

function appended(known: readonly number[], fresh: readonly number[]): readonly number[] {
  if (fresh.length === 0) return known;
  return [...known, ...fresh].slice(-SPARKLINE_POINTS);
}

function namingOf(id: string, facts: CardFacts): Pick<Machine, "name" | "searchable" | "nameKey"> {
  const name = facts.name || id;
  return {
    name,
    searchable: [name, id, facts.os, ...facts.tags].join("\n").toLowerCase(),
    nameKey: name.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(12, "0")),
  };
}

const UNKNOWN_FACTS: CardFacts = {
  name: "",
  os: "",
  platform: "",
  tags: [],
  ephemeral: false,
  cpu_cores: 0,
  mem_total_bytes: 0,
  agent_version: "",
  first_seen: 0,
  clock_offset_ms: null,
  shares_token_of: null,
};

/**
 * How a machine is doing, in the page's words. A machine that is normally off (`ephemeral`) and
 * silent is off, which is no fault.
 */
export const CONDITIONS = ["online", "degraded", "offline", "off"] as const;
export type Condition = (typeof CONDITIONS)[number];

export function conditionOf(machine: Machine): Condition {
  return machine.status !== "online" && machine.facts.ephemeral ? "off" : machine.status;
}

/** The other machines that use the same token, as clones of one disk do. */
export function sharersOf({ id, facts }: Machine, fleet: Fleet): readonly Machine[] {
  const origin = facts.shares_token_of;
  if (origin === null) return [];
  return [...fleet.values()].filter(
    (other) => other.id !== id && other.facts.shares_token_of === origin,
  );
}
