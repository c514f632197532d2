/** Which stretch of time is shown, and how to show another. It stays in sight. */

import { cursor } from "../../charts/cursor";
import { exactMoment, moment } from "../../format/time";
import { now } from "../../clock";
import {
  panned,
  PRESETS,
  zoomedIn,
  zoomedOut,
  type Extent,
  type Range,
  type SetRange,
} from "../../history/range";
import { Icon } from "../../ui/icons";
import type { Past } from "./use-past";

interface RangeBarProps {
  readonly range: Range;
  readonly past: Past;
  readonly isOnline: boolean;
  readonly onRange: SetRange;
  /** null: there is no way back. */
  readonly onBack: (() => void) | null;
  readonly onExport: (() => void) | null;
}

export function RangeBar({ range, past, isOnline, onRange, onBack, onExport }: RangeBarProps) {
  const change = (next: (range: Range, now: number) => Range) => () => {
    onRange((from) => next(from, now.peek()));
  };
  return (
    <div class="range-bar" data-sticky role="toolbar" aria-label="Range of time">
      <div class="range-presets" role="group" aria-label="Range">
        {PRESETS.map((preset, index) => (
          <button
            key={preset.name}
            type="button"
            aria-pressed={range.kind === "last" && range.ms === preset.ms}
            title={`The last ${preset.label} (${index + 1})`}
            onClick={() => {
              onRange({ kind: "last", ms: preset.ms });
            }}
          >
            {preset.label}
          </button>
        ))}
      </div>
      <div class="range-steps" role="group" aria-label="Zoom and move">
        <Tool icon="back" what="Earlier (Shift ←)" onClick={change((at, to) => panned(at, -1, to))} />
        <Tool
          icon="next"
          what="Later (Shift →)"
          disabled={range.kind === "last"}
          onClick={change((at, to) => panned(at, 1, to))}
        />
        <Tool icon="plus" what="Zoom in (+)" onClick={change(zoomedIn)} />
        <Tool icon="minus" what="Zoom out (−)" onClick={change(zoomedOut)} />
        {onBack && (
          <button type="button" class="button button-small" title="Double-click or ⌫" onClick={onBack}>
            Back
          </button>
        )}
      </div>
      <Shown range={range} extent={past.extent} />
      <span class="range-space" />
      <Liveness range={range} past={past} isOnline={isOnline} />
      <button
        type="button"
        class="button button-small range-export"
        disabled={!onExport}
        title="Save what is shown as CSV"
        onClick={onExport ?? undefined}
      >
        <Icon name="download" /> CSV
      </button>
      <span class="range-progress" data-busy={past.isFetching} aria-hidden="true" />
    </div>
  );
}

interface ToolProps {
  readonly icon: "back" | "next" | "plus" | "minus";
  readonly what: string;
  readonly disabled?: boolean;
  readonly onClick: () => void;
}

function Tool({ icon, what, disabled = false, onClick }: ToolProps) {
  return (
    <button
      type="button"
      class="button-icon"
      aria-label={what}
      title={what}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

/** The moment under the cursor; without one, from when to when. */
function Shown({ range, extent }: { readonly range: Range; readonly extent: Extent }) {
  const at = cursor.value;
  if (at !== null) return <span class="range-shown range-at">{exactMoment(at)}</span>;
  const from = moment(extent.from, now.peek());
  if (range.kind === "last") return <span class="range-shown range-last">{from} – now</span>;
  return (
    <span class="range-shown">
      {from} – {moment(extent.to, now.peek())}
    </span>
  );
}

function Liveness({
  range,
  past,
  isOnline,
}: {
  readonly range: Range;
  readonly past: Past;
  readonly isOnline: boolean;
}) {
  if (range.kind === "span") {
    return <span class="liveness">Past</span>;
  }
  if (!isOnline) return <span class="liveness">Silent</span>;
  switch (past.watch) {
    case "open":
      return <span class="liveness is-live">Live, 1 s</span>;
    case "refused":
      return (
        <span class="liveness" title="This browser watches as many machines as it can.">
          Every 10 s
        </span>
      );
    case "lost":
    case "missing":
    case "none":
      return <span class="liveness">…</span>;
  }
}
