/** What draws on a job's page, which comes later than the rest of it. */

import { late } from "../../ui/late";

const Waiting = () => (
  <div class="panel chart skeleton" role="status" aria-label="Loading the drawing" />
);

export const { Part: LateSearchChart } = late(
  () => import("./search-chart"),
  { what: "The chart", does: "draws it" },
  () => <Waiting />,
);

export const { Part: LatePlan } = late(
  () => import("../plan/plan"),
  { what: "The plan", does: "draws it" },
  () => <Waiting />,
);
