/** What a machine works on: fetched where one is at work. */

import { late } from "../../ui/late";

export const { Part: LateNodeJobs } = late(
  () => import("./jobs"),
  { what: "The jobs", does: "shows them" },
  () => null,
);
