/** The whole fleet in five small panels. */

import type { ComponentChildren } from "preact";
import type { Spread, Summary } from "../../fleet/summary";
import { BUCKETS, HIGH_PCT } from "../../fleet/summary";
import { CONDITIONS, type Fleet } from "../../fleet/state";
import { CONDITION_NAMES } from "../../format/presence";
import { bytesPerSecond, count, memory, partOf, percent, plural } from "../../format/units";
import { nodeAddress } from "../../route";
import { StatusGlyph } from "../../ui/icons";
import { Bar, levelOf } from "../../ui/meter";
import { Untrusted } from "../../ui/untrusted";

export function FleetSummary({
  summary,
  fleet,
}: {
  readonly summary: Summary;
  readonly fleet: Fleet;
}) {
  const { cpu, memory: mem, disk, live } = summary;
  return (
    <section class="summary" aria-label="The whole fleet">
      <Panel title="Machines" figure={count(summary.machines)} note={plural(summary.cores, "core")}>
        <StatusBar summary={summary} />
      </Panel>
      <Panel title="CPU" figure={percent(cpu.mean)} note="mean">
        <Distribution spread={cpu} machines={live} of="CPU" />
      </Panel>
      <Panel
        title="Memory"
        figure={mem.totalBytes ? percent((mem.usedBytes / mem.totalBytes) * 100) : "–"}
        note={mem.totalBytes ? partOf(memory(mem.usedBytes), memory(mem.totalBytes)) : ""}
      >
        <Distribution spread={mem} machines={live} of="memory" />
      </Panel>
      <Panel
        title="Fullest disk"
        figure={percent(disk.top?.pct)}
        note={<FullestDisk spread={disk} fleet={fleet} />}
      >
        <Distribution spread={disk} machines={live} of="disk" />
      </Panel>
      <Panel title="Traffic" figure="" note="">
        <dl class="traffic">
          <dt>Received</dt>
          <dd>{bytesPerSecond(summary.receivedPerSecond)}</dd>
          <dt>Sent</dt>
          <dd>{bytesPerSecond(summary.sentPerSecond)}</dd>
        </dl>
      </Panel>
    </section>
  );
}

interface PanelProps {
  readonly title: string;
  readonly figure: string;
  readonly note: ComponentChildren;
  readonly children: ComponentChildren;
}

function Panel({ title, figure, note, children }: PanelProps) {
  return (
    <div class="panel summary-panel">
      <h2>{title}</h2>
      {figure && (
        <p class="summary-figure">
          <strong>{figure}</strong> <span class="summary-note">{note}</span>
        </p>
      )}
      {children}
    </div>
  );
}

function FullestDisk({ spread, fleet }: { readonly spread: Spread; readonly fleet: Fleet }) {
  const machine = spread.top && fleet.get(spread.top.id);
  if (!machine) return null;
  if (spread.high > 1) return <>{`${count(spread.high)} at ≥ ${HIGH_PCT} %`}</>;
  return (
    <a href={nodeAddress(machine.id)}>
      <Untrusted text={machine.name} />
    </a>
  );
}

function StatusBar({ summary }: { readonly summary: Summary }) {
  const present = CONDITIONS.filter((condition) => summary.counts[condition] > 0);
  return (
    <div class="status-bar-box">
      <div class="status-bar" aria-hidden="true">
        {present.map((condition) => (
          <span
            key={condition}
            class={`fill-${condition}`}
            style={{ flexGrow: String(summary.counts[condition]) }}
          />
        ))}
      </div>
      <ul class="status-legend">
        {present.map((condition) => (
          <li key={condition}>
            <StatusGlyph condition={condition} />
            {count(summary.counts[condition])}
            <span class="unseen"> {CONDITION_NAMES[condition].toLowerCase()}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Fewer machines than this are no distribution. */
const FEW = 4;

function Distribution({ machines, ...rest }: HistogramProps & { readonly machines: number }) {
  return machines < FEW ? (
    <div class="histogram-few">
      <Bar pct={rest.spread.mean} />
    </div>
  ) : (
    <Histogram {...rest} />
  );
}

interface HistogramProps {
  readonly spread: Spread;
  /** What is spread: "CPU". */
  readonly of: string;
}

/** How many machines are how busy: 20 columns from 0 to 100 %. */
function Histogram({ spread, of }: HistogramProps) {
  const highest = Math.max(1, ...spread.buckets);
  const high = spread.high > 0 ? `, ${plural(spread.high, "machine")} at 90 % or more` : "";
  return (
    <div class="histogram-box">
      <svg
        class="histogram"
        viewBox={`0 0 ${BUCKETS * 10} 100`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`How ${of} use is spread over the machines: mean ${percent(spread.mean)}${high}`}
      >
        {spread.buckets.map((machines, bucket) => {
          // A single machine among thousands must still be seen.
          const height = machines === 0 ? 0 : Math.max(7, (machines / highest) * 100);
          const from = (bucket * 100) / BUCKETS;
          return (
            <rect
              key={bucket}
              class={machines === 0 ? "column-none" : `column-${levelOf(from)}`}
              x={bucket * 10 + 0.75}
              width="8.5"
              y={machines === 0 ? 97 : 100 - height}
              height={machines === 0 ? 3 : height}
            >
              <title>{`${from} to ${from + 100 / BUCKETS} %: ${plural(machines, "machine")}`}</title>
            </rect>
          );
        })}
      </svg>
      <span class="histogram-scale" aria-hidden="true">
        <span>0</span>
        <span>50</span>
        <span>100 %</span>
      </span>
    </div>
  );
}
