/** What the lines are, and their figures under the cursor, or the latest. */

import {
  isBucketed,
  lastMeasured,
  placeAt,
  placesWithin,
  valueAt,
  type Timeline,
} from "../history/timeline";
import type { Extent } from "../history/range";
import { latestOf } from "../history/stats";
import { Untrusted } from "../ui/untrusted";
import { useShown } from "./context";
import { cursor } from "./cursor";
import { UNITS, type ChartSpec, type Line } from "./spec";

/** With more lines the legend is a list below the title. */
const IN_A_ROW = 3;
const MOST_WITH_BANDS = 2;

export function Legend({ spec }: { readonly spec: ChartSpec }) {
  const { timeline, extent } = useShown();
  const at = cursor.value;
  const place = at === null ? lastPlace(timeline, extent) : placeAt(timeline, at);
  return (
    <ul class={spec.lines.length > IN_A_ROW ? "legend legend-many" : "legend"}>
      {spec.lines.map((line) => (
        <LegendEntry
          key={line.key}
          line={line}
          spec={spec}
          timeline={timeline}
          place={place}
          pointed={at !== null}
        />
      ))}
      {spec.peak && isBucketed(timeline) && (
        <li>
          <span class="legend-key legend-peak" aria-hidden="true" />
          <span class="legend-label">peak</span>{" "}
          <strong>
            {UNITS[spec.unit].figure(timeline.tracks.get(spec.peak)?.max[place] ?? undefined)}
          </strong>
        </li>
      )}
      {spec.guide && (
        <li>
          <span class="legend-key legend-guide" aria-hidden="true" />
          <span class="legend-label">{spec.guide.label}</span>
        </li>
      )}
      {spec.more !== undefined && spec.more > 0 && (
        <li class="legend-more">and {spec.more} more</li>
      )}
    </ul>
  );
}

interface EntryProps {
  readonly line: Line;
  readonly spec: ChartSpec;
  readonly timeline: Timeline;
  readonly place: number;
  readonly pointed: boolean;
}

function LegendEntry({ line, spec, timeline, place, pointed }: EntryProps) {
  const { figure } = UNITS[spec.unit];
  const track = timeline.tracks.get(line.key);
  const value = pointed
    ? valueAt(timeline, line.key, place)
    : track && latestOf(track.avg, place, 2);
  const also = line.also && valueAt(timeline, line.also.key, place);
  const least = track?.min[place];
  const greatest = track?.max[place];
  // Where there is room for it, and as long as the legend stays one line.
  const hasBand = pointed && isBucketed(timeline) && spec.lines.length <= MOST_WITH_BANDS;
  return (
    <li>
      <span class="legend-key" data-colour={line.colour.slice(2)} aria-hidden="true" />
      <span class="legend-label">
        <Untrusted text={line.label} />
      </span>{" "}
      <strong>{figure(value)}</strong>
      {line.also && <small>{UNITS[line.also.unit].figure(also)}</small>}
      {hasBand && !line.also && typeof least === "number" && typeof greatest === "number" && (
        <small class="legend-band">
          {figure(least)} – {figure(greatest)}
        </small>
      )}
    </li>
  );
}

/** The last place in sight at which anything was measured. */
export function lastPlace(timeline: Timeline, extent: Extent): number {
  const [first, end] = placesWithin(timeline, extent.from, extent.to);
  const place = lastMeasured(timeline, end);
  return place >= first ? place : -1;
}
