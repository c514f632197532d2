/** All the cores: the heat strip, the figures of all at once, and the grid that opens. */

import { signal } from "@preact/signals";
import { CoreGrid, pointedWords } from "../../charts/core-grid";
import { useShown } from "../../charts/context";
import { cursor, pointedCore } from "../../charts/cursor";
import { HeatStrip } from "../../charts/heat-strip";
import { lastPlace } from "../../charts/legend";
import { percent, plural } from "../../format/units";
import { coreName } from "../../history/keys";
import { coresAt } from "../../history/stats";
import { placeAt } from "../../history/timeline";
import { Icon } from "../../ui/icons";

/** Kept while one goes from machine to machine. */
const isOpen = signal(false);

export function toggleCores(): void {
  isOpen.value = !isOpen.value;
}

export function Cores({ keys }: { readonly keys: readonly string[] }) {
  const shown = useShown();
  const { timeline, extent } = shown;
  const at = cursor.value;
  const place = at === null ? lastPlace(timeline, extent) : placeAt(timeline, at);
  const open = isOpen.value;
  const figures = coresAt(timeline, keys, place);
  const hottest = figures ? coreName(keys[figures.hottest]) : "";
  const summary = figures
    ? `${plural(keys.length, "core")}, average ${percent(figures.average)}, hottest core ${hottest} at ${percent(figures.max)}, standard deviation ${percent(figures.deviation)}`
    : "no figures in this range";
  const pointed = pointedCore.value === null ? null : pointedWords(keys, shown, place);
  return (
    <HeatStrip
        keys={keys}
        summary={summary}
        legend={
          <ul class="legend core-figures">
            <CoreFigure label="average" figure={percent(figures?.average)} />
            <CoreFigure label="hottest" figure={hottest ? `core ${hottest}` : "–"} />
            <CoreFigure label="max" figure={percent(figures?.max)} />
            <CoreFigure label="standard deviation" figure={percent(figures?.deviation)} />
          </ul>
        }
        actions={
          <button
            type="button"
            class="button button-small cores-toggle"
            aria-expanded={open}
            aria-controls="core-grid"
            title={open ? "Hide the grid (c)" : "Each core by itself (c)"}
            onClick={toggleCores}
          >
            <Icon name="grid" /> {open ? "Hide grid" : "Grid"}
          </button>
        }
        note={pointed}
      >
        {open && <CoreGrid id="core-grid" keys={keys} place={place} summary={summary} />}
    </HeatStrip>
  );
}

function CoreFigure({ label, figure }: { readonly label: string; readonly figure: string }) {
  return (
    <li>
      <span class="legend-label">{label}</span> <strong>{figure}</strong>
    </li>
  );
}
