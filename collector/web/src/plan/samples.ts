/** Plans for the tests. */

import type { Plan, PlanTask } from "../wire/plan";

export function task(
  id: string,
  job: string,
  machine: string,
  [start, end]: readonly [number, number],
  changes: Partial<PlanTask> = {},
): PlanTask {
  const demands = new Map<string, number>();
  return { id, job, operation: id, machines: [machine], demands, start, end, setup: 0, ...changes };
}

export function planOf(tasks: readonly PlanTask[], changes: Partial<Plan> = {}): Plan {
  const machines = [...new Set(tasks.flatMap((one) => one.machines))].sort();
  const jobs = [...new Set(tasks.map((one) => one.job))].sort();
  return {
    status: "optimal",
    objective: 10,
    bound: 10,
    objectives: new Map(),
    horizon: Math.max(0, ...tasks.map((one) => one.end)),
    time_unit: "1",
    machines: machines.map((id) => ({ id, name: "", unavailable: [] })),
    resources: [],
    jobs: jobs.map((id) => ({
      id,
      name: "",
      due: null,
      release: 0,
      weight: 1,
      end: 0,
      tardiness: 0,
    })),
    tasks,
    ...changes,
  };
}
