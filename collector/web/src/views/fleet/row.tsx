/** One machine as a row of the dense table, and the table's head. */

import { memo } from "preact/compat";
import { now } from "../../clock";
import { metric } from "../../fleet/metric";
import { naturalDirection, type FleetQuery, type SortKey } from "../../fleet/query";
import { conditionOf, type Machine } from "../../fleet/state";
import { briefOs } from "../../format/os";
import { catchingUp, CONDITION_NAMES, presence } from "../../format/presence";
import { exactMoment, longSpan, span } from "../../format/time";
import { bytesPerSecond, percent } from "../../format/units";
import { nodeAddress } from "../../route";
import { Icon, StatusGlyph } from "../../ui/icons";
import { Bar } from "../../ui/meter";
import { Sparkline } from "../../ui/sparkline";
import { Untrusted } from "../../ui/untrusted";
import { ClockFlag, described, RunningJobs, Tags, TokenFlag } from "./card";

export const ROW_HEIGHT = 34;

interface Column {
  readonly name: string;
  readonly title: string;
  readonly sort?: SortKey;
}

/** In the order of the cells below; the style sheet says which widths show which. */
const COLUMNS: readonly Column[] = [
  { name: "status", title: "Status", sort: "status" },
  { name: "name", title: "Name", sort: "name" },
  { name: "os", title: "System" },
  { name: "cpu", title: "CPU", sort: "cpu" },
  { name: "spark", title: "CPU lately" },
  { name: "memory", title: "Memory", sort: "memory" },
  { name: "disk", title: "Disk", sort: "disk" },
  { name: "load", title: "Load" },
  { name: "rx", title: "Received", sort: "traffic" },
  { name: "tx", title: "Sent" },
  { name: "uptime", title: "Up" },
  { name: "seen", title: "Seen", sort: "seen" },
];

interface HeadProps {
  readonly query: FleetQuery;
  readonly onChange: (change: Partial<FleetQuery>) => void;
}

export function TableHead({ query, onChange }: HeadProps) {
  return (
    <div class="row row-head" role="row" aria-rowindex={1} data-sticky>
      {COLUMNS.map(({ name, title, sort }) => (
        <span
          key={name}
          class={`cell cell-${name}`}
          role="columnheader"
          aria-sort={
            sort === query.sort
              ? query.direction === "asc"
                ? "ascending"
                : "descending"
              : undefined
          }
        >
          {sort ? (
            <button
              type="button"
              class="sort"
              onClick={() => {
                onChange({ sort, direction: nextDirection(query, sort) });
              }}
            >
              {title}
              {sort === query.sort && <Icon name={query.direction === "asc" ? "up" : "down"} />}
            </button>
          ) : (
            title
          )}
        </span>
      ))}
    </div>
  );
}

export function nextDirection(query: FleetQuery, sort: SortKey): FleetQuery["direction"] {
  if (query.sort !== sort) return naturalDirection(sort);
  return query.direction === "asc" ? "desc" : "asc";
}

interface RowProps {
  readonly machine: Machine;
  readonly index: number;
  readonly tabIndex: 0 | -1;
}

export const Row = memo(function Row({ machine, index, tabIndex }: RowProps) {
  const { facts, values } = machine;
  const condition = conditionOf(machine);
  const load = metric(values, "load.1m");
  const uptime = metric(values, "uptime.s");
  return (
    <div
      class={`row is-${condition}`}
      role="row"
      aria-rowindex={index + 2}
      data-item={machine.id}
      data-node-id={machine.id}
      data-status={machine.status}
    >
      <span class="cell cell-status" role="cell">
        <StatusGlyph condition={condition} />
        <span class="status-word">{CONDITION_NAMES[condition]}</span>
      </span>
      <span class="cell cell-name" role="cell">
        <a
          class="row-name"
          href={nodeAddress(machine.id)}
          tabIndex={tabIndex}
          aria-label={described(machine)}
        >
          <Untrusted text={machine.name} />
        </a>
        <ClockFlag offsetMs={facts.clock_offset_ms} />
        <TokenFlag origin={facts.shares_token_of} />
        <RunningJobs machine={machine} tabIndex={tabIndex} />
        <Tags tags={facts.tags} />
      </span>
      <span class="cell cell-os" role="cell">
        <Untrusted text={briefOs(facts.os)} title={facts.os} />
      </span>
      <Share name="cpu" pct={metric(values, "cpu.pct")} />
      <span class="cell cell-spark" role="cell">
        <Sparkline points={machine.cpu} />
      </span>
      <Share name="memory" pct={metric(values, "mem.pct")} />
      <Share name="disk" pct={metric(values, "disk.pct")} />
      <span class="cell cell-load" role="cell">
        {load === undefined ? "–" : load.toFixed(2)}
      </span>
      <span class="cell cell-rx" role="cell">
        {bytesPerSecond(metric(values, "net.rx_bytes_per_s"))}
      </span>
      <span class="cell cell-tx" role="cell">
        {bytesPerSecond(metric(values, "net.tx_bytes_per_s"))}
      </span>
      <span
        class="cell cell-uptime"
        role="cell"
        title={uptime === undefined ? undefined : longSpan(uptime * 1000)}
      >
        {uptime === undefined ? "–" : span(uptime * 1000)}
      </span>
      <span
        class="cell cell-seen"
        role="cell"
        title={machine.lastSeen > 0 ? exactMoment(machine.lastSeen) : undefined}
      >
        <Silence machine={machine} />
      </span>
    </div>
  );
});

function Share({ name, pct }: { readonly name: string; readonly pct: number | undefined }) {
  return (
    <span class={`cell cell-share cell-${name}`} role="cell">
      <Bar pct={pct} />
      <span class="share-figure">{percent(pct)}</span>
    </span>
  );
}

function Silence({ machine }: { readonly machine: Machine }) {
  if (machine.lastSeen <= 0) return <>never</>;
  const catching = catchingUp(machine);
  if (catching) {
    return (
      <span title={catching} aria-label={catching}>
        catching up
      </span>
    );
  }
  return (
    <span aria-label={presence(machine, now.value)}>{span(now.value - machine.lastSeen)} ago</span>
  );
}
