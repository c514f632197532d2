/** The dashboard, which comes later than the page: it draws charts. */

import { late } from "../../ui/late";
import { ChartSkeletons } from "./states";

export const { prepare: prepareDashboard, Part: LateDashboard } = late(
  () => import("./dashboard"),
  { what: "The charts", does: "draws them" },
  () => <ChartSkeletons />,
);
