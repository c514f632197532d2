/** The dashboard, which is fetched when it is first wanted, and may not come. */

import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { connection } from "../../stream/client";
import type { DashboardProps } from "./dashboard";
import { ChartSkeletons } from "./states";

const dashboard = signal<ComponentType<DashboardProps> | "missing" | null>(null);

/** Called where a machine may be opened soon: its page is then there at once. */
export function prepareDashboard(): void {
  import("./dashboard").then(
    (part) => {
      dashboard.value = part.default;
    },
    () => {
      dashboard.value = "missing";
    },
  );
}

export function LateDashboard(props: DashboardProps) {
  const Dashboard = dashboard.value;
  useEffect(() => {
    if (dashboard.peek() === null) prepareDashboard();
  }, []);
  if (Dashboard === null) return <ChartSkeletons />;
  if (Dashboard === "missing") return <Missing />;
  return <Dashboard {...props} />;
}

/** A browser may never ask again for a script that failed once, so all is loaded anew: by itself
 * when the collector is back, but not while it answers, which could go on without end. */
function Missing() {
  const { state } = connection.value;
  const wasLost = useRef(false);
  useEffect(() => {
    if (state === "lost") wasLost.current = true;
    else if (state === "live" && wasLost.current) location.reload();
  }, [state]);
  return (
    <section class="empty empty-small" role="alert">
      <h2>The charts could not be loaded</h2>
      <p class="failure">
        The collector did not answer when this page asked for the part that draws them, or it is a
        newer one by now.
      </p>
      <button
        type="button"
        class="button"
        onClick={() => {
          location.reload();
        }}
      >
        Load the page anew
      </button>
    </section>
  );
}
