/**
 * A production plan, as the plugin prodplan answers with it: agent/plugins/prodplan/
 * result.schema.json. Times are whole numbers of the plan's own unit.
 */

import {
  defaulting,
  list,
  Malformed,
  mapping,
  nullable,
  number,
  record,
  text,
  type Reader,
} from "./read";

export interface PlanMachine {
  readonly id: string;
  readonly name: string;
  /** From, to. */
  readonly unavailable: readonly (readonly [number, number])[];
}

/** Something that several tasks use at once, up to its capacity. */
export interface PlanResource {
  readonly id: string;
  readonly name: string;
  readonly capacity: number;
}

export interface PlanJob {
  readonly id: string;
  readonly name: string;
  readonly due: number | null;
  readonly release: number;
  readonly weight: number;
  readonly end: number;
  readonly tardiness: number;
}

export interface PlanTask {
  readonly id: string;
  readonly job: string;
  readonly operation: string;
  readonly machines: readonly string[];
  /** How much of which resource it uses. */
  readonly demands: ReadonlyMap<string, number>;
  readonly start: number;
  readonly end: number;
  /** So long before its start its machine is set up for it. */
  readonly setup: number;
}

export interface Plan {
  readonly status: string;
  readonly objective: number;
  readonly bound: number | null;
  readonly objectives: ReadonlyMap<string, number>;
  readonly horizon: number;
  /** "1": of no particular length. */
  readonly time_unit: string;
  readonly machines: readonly PlanMachine[];
  readonly resources: readonly PlanResource[];
  readonly jobs: readonly PlanJob[];
  readonly tasks: readonly PlanTask[];
}

/** Ids are names in a plan, and may be numbers. */
const word: Reader<string> = (value, path) =>
  typeof value === "number" ? String(value) : text(value, path);

const moment: Reader<number> = (value, path) => {
  const read = number(value, path);
  if (!Number.isFinite(read) || Math.abs(read) > Number.MAX_SAFE_INTEGER) {
    throw new Malformed(path, "a time");
  }
  return read;
};

const interval: Reader<readonly [number, number]> = (value, path) => {
  const [from, to] = list(moment)(value, path);
  if (from === undefined || to === undefined || to < from) throw new Malformed(path, "[from, to]");
  return [from, to];
};

const readPlan = record<Plan>({
  status: defaulting(text, ""),
  objective: number,
  bound: defaulting<number | null>(nullable(number), null),
  objectives: defaulting(mapping(number), new Map<string, number>()),
  horizon: moment,
  time_unit: defaulting(word, "1"),
  machines: list(
    record<PlanMachine>({
      id: word,
      name: defaulting(nullOr(word, ""), ""),
      unavailable: defaulting(list(interval), []),
    }),
  ),
  resources: defaulting(
    list(
      record<PlanResource>({
        id: word,
        name: defaulting(nullOr(word, ""), ""),
        capacity: defaulting(number, 1),
      }),
    ),
    [],
  ),
  jobs: list(
    record<PlanJob>({
      id: word,
      name: defaulting(nullOr(word, ""), ""),
      due: defaulting<number | null>(nullable(moment), null),
      release: defaulting(moment, 0),
      weight: defaulting(number, 1),
      end: moment,
      tardiness: defaulting(moment, 0),
    }),
  ),
  tasks: list(
    record<PlanTask>({
      id: word,
      job: word,
      operation: defaulting(nullOr(word, ""), ""),
      machines: defaulting(list(word), []),
      demands: defaulting(mapping(number), new Map<string, number>()),
      start: moment,
      end: moment,
      setup: defaulting(moment, 0),
    }),
  ),
});

function nullOr(reader: Reader<string>, fallback: string): Reader<string> {
  return (value, path) => (value === null ? fallback : reader(value, path));
}

/** Whether it is worth reading as a plan. */
export function looksLikePlan(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    "tasks" in value &&
    "machines" in value &&
    Array.isArray(value.tasks) &&
    value.tasks.length > 0
  );
}

type Read =
  | { readonly kind: "plan"; readonly plan: Plan }
  | { readonly kind: "fault"; readonly fault: string };

export function planIn(value: unknown): Read {
  try {
    return { kind: "plan", plan: readPlan(value, "") };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return { kind: "fault", fault: error.message };
  }
}
