/** A machine's page before its figures are there, and when there are none. */

import type { Machine } from "../../fleet/state";
import { inLocalTime } from "../../clock";
import { exactMoment } from "../../format/time";
import type { Range } from "../../history/range";

const DAY_MS = 86_400_000;

export function ChartSkeletons() {
  return (
    <div class="sections" role="status" aria-label="Loading the charts">
      <div class="vitals">
        {Array.from({ length: 6 }, (_, index) => (
          <div key={index} class="panel vital skeleton" />
        ))}
      </div>
      <div class="charts">
        {Array.from({ length: 6 }, (_, index) => (
          <div key={index} class="panel chart skeleton" />
        ))}
      </div>
    </div>
  );
}

interface NothingHereProps {
  readonly machine: Machine;
  readonly range: Range;
  readonly onRange: (range: Range) => void;
}

export function NothingHere({ machine, range, onRange }: NothingHereProps) {
  const { first_seen: firstSeen } = machine.facts;
  const last = machine.lastSeen;
  return (
    <section class="empty empty-small">
      <h2>No figures in this range</h2>
      <p>
        This machine was first heard on {exactMoment(inLocalTime(firstSeen))}
        {last > 0 && ` and last on ${exactMoment(inLocalTime(last))}`}. Every figure is kept for a
        while, and averages of ten minutes for longer; what is older is gone.
      </p>
      <p class="empty-actions">
        {last > 0 && (
          <button
            type="button"
            class="button"
            onClick={() => {
              onRange({ kind: "span", from: last - DAY_MS / 24, to: last + DAY_MS / 240 });
            }}
          >
            Go to its last figures
          </button>
        )}
        {!(range.kind === "last" && range.ms === 2 * DAY_MS) && (
          <button
            type="button"
            class="button"
            onClick={() => {
              onRange({ kind: "last", ms: 2 * DAY_MS });
            }}
          >
            Show 48 h
          </button>
        )}
      </p>
    </section>
  );
}
