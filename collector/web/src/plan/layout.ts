/** A plan as rows of bars: one row for each machine, and for each resource that tasks share. */

import type { Plan, PlanJob, PlanTask } from "../wire/plan";
import { jobName } from "./words";

/** A task on one machine. */
export interface Bar {
  readonly task: PlanTask;
  /** Where its set-up begins: at its start, where it has none. */
  readonly from: number;
  readonly end: number;
  readonly lane: number;
}

export interface Row {
  readonly id: string;
  readonly name: string;
  /** By their beginning; those of a lane do not overlap. */
  readonly lanes: readonly (readonly Bar[])[];
  readonly unavailable: readonly (readonly [number, number])[];
  /** Shares of the time in which it is available. */
  readonly use: { readonly work: number; readonly setup: number };
  /** Where it stands, in px. */
  readonly top: number;
  readonly height: number;
}

export interface Layout {
  readonly rows: readonly Row[];
  readonly height: number;
  readonly from: number;
  readonly to: number;
  readonly jobs: ReadonlyMap<string, JobMarks>;
  readonly late: readonly PlanJob[];
}

/** How a job is told apart, and its last task, where it is seen whether it is late. */
export interface JobMarks {
  readonly job: PlanJob;
  readonly hue: number;
  readonly pattern: number;
  /** Its name without what all of them begin with, for where there is little room. */
  readonly short: string;
  readonly last: PlanTask | null;
}

export const HUES = 8;
export const PATTERNS = 4;
/** Of a row with one lane, and of a lane among others. */
export const ROW_PX = 30;
export const LANE_PX = 18;
export const ROW_PAD_PX = 4;
/** More at once cannot be told apart; they lie on each other. */
const MOST_LANES = 24;

export function layOut(plan: Plan): Layout {
  const marks = marksOf(plan);
  // Not by a spread: a plan may have more tasks than a call takes arguments.
  let to = Math.max(plan.horizon, 1);
  let from = 0;
  for (const task of plan.tasks) {
    to = Math.max(to, task.end);
    from = Math.min(from, task.start - task.setup);
  }
  let top = 0;
  const rows: Row[] = [];
  const add = (row: Omit<Row, "top" | "height">) => {
    const { length } = row.lanes;
    const height = length <= 1 ? ROW_PX : length * LANE_PX + 2 * ROW_PAD_PX;
    rows.push({ ...row, top, height });
    top += height;
  };
  const users = usersOf(plan);
  for (const machine of plan.machines) {
    const lanes = lanesOf(users.get(machine.id) ?? []);
    const closed = machine.unavailable.reduce((sum, [a, b]) => sum + overlap(a, b, 0, to), 0);
    const open = Math.max(1, to - closed);
    const { work, setup } = timesOf(lanes.flat(), machine.unavailable);
    const use = { work: work / open, setup: setup / open };
    const name = machine.name || machine.id;
    add({ id: `machine ${machine.id}`, name, lanes, unavailable: machine.unavailable, use });
  }
  for (const resource of plan.resources) {
    const using = plan.tasks.filter((task) => (task.demands.get(resource.id) ?? 0) > 0);
    if (using.length === 0) continue;
    const whole = Math.max(1, resource.capacity * to);
    const work = using.reduce(
      (sum, task) => sum + (task.demands.get(resource.id) ?? 0) * (task.end - task.start),
      0,
    );
    const name = `${resource.name || resource.id} (${resource.capacity})`;
    const lanes = lanesOf(using);
    const use = { work: work / whole, setup: 0 };
    add({ id: `resource ${resource.id}`, name, lanes, unavailable: [], use });
  }
  const elsewhere = plan.tasks.filter((task) => task.machines.length === 0 && task.demands.size === 0);
  if (elsewhere.length > 0) {
    const use = { work: 0, setup: 0 };
    add({ id: "none", name: "No machine", lanes: lanesOf(elsewhere), unavailable: [], use });
  }
  const late = plan.jobs.filter((job) => job.tardiness > 0).sort((a, b) => b.tardiness - a.tardiness);
  return { rows, height: top, from, to, jobs: marks, late };
}

function usersOf(plan: Plan): ReadonlyMap<string, PlanTask[]> {
  const users = new Map<string, PlanTask[]>();
  for (const task of plan.tasks) {
    for (const id of new Set(task.machines)) {
      const known = users.get(id);
      if (known) known.push(task);
      else users.set(id, [task]);
    }
  }
  return users;
}

/** Each task in the first lane that is free by then. */
function lanesOf(tasks: readonly PlanTask[]): readonly (readonly Bar[])[] {
  const lanes: Bar[][] = [];
  const free: number[] = [];
  const inOrder = tasks
    .map((task) => ({ task, from: task.start - Math.max(0, task.setup) }))
    .sort((a, b) => a.from - b.from || a.task.end - b.task.end);
  for (const { task, from } of inOrder) {
    const found = free.findIndex((until) => until <= from);
    const lane = found >= 0 ? found : Math.min(free.length, MOST_LANES - 1);
    const end = Math.max(task.start, task.end);
    free[lane] = Math.max(free[lane] ?? end, end);
    (lanes[lane] ??= []).push({ task, from, end, lane });
  }
  return lanes;
}

/** A task that is interrupted while its machine is not available does no work meanwhile. */
function timesOf(
  bars: readonly Bar[],
  closed: Row["unavailable"],
): { readonly work: number; readonly setup: number } {
  let work = 0;
  let setup = 0;
  for (const { task, from, end } of bars) {
    work += end - task.start;
    for (const [low, high] of closed) work -= overlap(task.start, end, low, high);
    setup += task.start - from;
  }
  return { work, setup };
}

function marksOf(plan: Plan): ReadonlyMap<string, JobMarks> {
  const last = new Map<string, PlanTask>();
  for (const task of plan.tasks) {
    const known = last.get(task.job);
    if (!known || task.end > known.end) last.set(task.job, task);
  }
  const common = commonBeginning(plan.jobs.map(jobName));
  return new Map(
    plan.jobs.map((job, place) => [
      job.id,
      {
        job,
        short: jobName(job).slice(common),
        hue: place % HUES,
        pattern: Math.floor(place / HUES) % PATTERNS,
        last: last.get(job.id) ?? null,
      },
    ]),
  );
}

/** How many characters all names begin with, up to the end of a word; none may be nothing but that. */
function commonBeginning(names: readonly string[]): number {
  const [first = "", ...others] = names;
  let length = others.length === 0 ? 0 : first.length;
  for (const name of others) {
    while (length > 0 && !name.startsWith(first.slice(0, length))) length -= 1;
  }
  const word = /^.*[\s._-]/u.exec(first.slice(0, length))?.[0].length ?? 0;
  return names.some((name) => name.length <= word) ? 0 : word;
}

function overlap(from: number, to: number, low: number, high: number): number {
  return Math.max(0, Math.min(to, high) - Math.max(from, low));
}
