/** The streams that a tab may watch beside the fleet's: a machine, all jobs, or one job. */

import type { Job, JobsFrame } from "../wire/jobs";
import type { Point } from "../wire/messages";

export type Topic = `node/${string}` | "jobs" | `job/${string}`;

/** What any of them brings. */
export type News = Point | JobsFrame | Job;

export function nodeTopic(id: string): Topic {
  return `node/${id}`;
}

export function jobTopic(id: string): Topic {
  return `job/${id}`;
}
