/** The parts of the page of jobs, and how many jobs each begins with. */

import type { JobStatus } from "../wire/jobs";

export interface SectionKind {
  readonly name: string;
  readonly statuses: readonly JobStatus[];
  /** What stands first, where it is not the newest. */
  readonly order?: string;
  /** There is little to say of each: no progress, no fault, no reason to wait. */
  readonly isBrief?: boolean;
  /** Shown at first, where it is one part among others. */
  readonly first: number;
}

export const SECTIONS: readonly SectionKind[] = [
  { name: "Running", statuses: ["running"], first: 50 },
  { name: "Failed, for review", statuses: ["failed"], first: 8 },
  { name: "Queue", statuses: ["pending"], order: "the next one first", first: 12 },
  { name: "Waiting", statuses: ["waiting"], first: 5 },
  { name: "History", statuses: ["succeeded", "cancelled"], isBrief: true, first: 50 },
];

/** The parts that have one of these statuses, and no others in them. */
export function sectionsFor(statuses: readonly JobStatus[]): readonly SectionKind[] {
  if (statuses.length === 0) return SECTIONS;
  return SECTIONS.map((section) => ({
    ...section,
    statuses: section.statuses.filter((status) => statuses.includes(status)),
  })).filter((section) => section.statuses.length > 0);
}
