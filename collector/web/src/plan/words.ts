/** A plan's tasks and times in words. */

import { count, plural } from "../format/units";
import type { Plan, PlanJob, PlanTask } from "../wire/plan";

/** A time of the plan; its unit is said where it has one. */
export function timeWords(value: number, unit: string): string {
  return unit === "1" || unit === "" ? count(value) : `${count(value)} ${unit}`;
}

export function jobName(job: Pick<PlanJob, "id" | "name">): string {
  return job.name || job.id;
}

/** "Job 3 · milling": what stands on a bar. */
export function taskName(task: PlanTask, job: PlanJob | undefined): string {
  const whose = job ? jobName(job) : task.job;
  return task.operation && task.operation !== whose ? `${whose} · ${task.operation}` : whose;
}

/** A task in a sentence, for those who hear it. */
export function taskWords(task: PlanTask, job: PlanJob | undefined, machine: string, unit: string): string {
  return [
    `${taskName(task, job)} on ${machine}`,
    `from ${timeWords(task.start, unit)} to ${timeWords(task.end, unit)}`,
    task.setup > 0 && `set-up ${timeWords(task.setup, unit)}`,
    job && job.tardiness > 0 && `its job is late by ${timeWords(job.tardiness, unit)}`,
  ]
    .filter(Boolean)
    .join(", ");
}

export function lateWords(plan: Plan, late: number): string {
  const due = plan.jobs.filter((job) => job.due !== null).length;
  if (due === 0) return "";
  return late === 0 ? "none late" : `${plural(late, "job")} of ${count(plan.jobs.length)}`;
}
