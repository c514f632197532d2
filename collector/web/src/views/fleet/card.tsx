/** One machine as a card. */

import { memo } from "preact/compat";
import { now } from "../../clock";
import { metric } from "../../fleet/metric";
import { conditionOf, type Machine } from "../../fleet/state";
import { briefOs } from "../../format/os";
import { catchingUp, CONDITION_NAMES, presence } from "../../format/presence";
import { clockError } from "../../format/time";
import { brief, bytesPerSecond, count, memory, percent, plural } from "../../format/units";
import { jobsOfNode, nodeAddress } from "../../route";
import { Icon, StatusGlyph } from "../../ui/icons";
import { Meter } from "../../ui/meter";
import { Sparkline } from "../../ui/sparkline";
import { Untrusted } from "../../ui/untrusted";

interface ItemProps {
  readonly machine: Machine;
  readonly index: number;
  readonly total: number;
  readonly tabIndex: 0 | -1;
}

export const CARD_MIN_WIDTH = 268;
export const CARD_HEIGHT = 170;
export const CARD_GAP = 12;

export const Card = memo(function Card({ machine, index, total, tabIndex }: ItemProps) {
  const { facts, values } = machine;
  const condition = conditionOf(machine);
  return (
    <div
      class={`card is-${condition}`}
      role="listitem"
      aria-posinset={index + 1}
      aria-setsize={total}
      data-item={machine.id}
      data-node-id={machine.id}
      data-status={machine.status}
    >
      <header class="card-head">
        <StatusGlyph condition={condition} />
        <a
          class="card-name"
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
      </header>
      <p class="card-facts">
        <Untrusted text={machineInWords(machine)} title={facts.os} />
      </p>
      <div class="meters">
        <Meter label="CPU" pct={metric(values, "cpu.pct")} />
        <Meter label="Memory" pct={metric(values, "mem.pct")} />
        <Meter label="Disk" pct={metric(values, "disk.pct")} />
      </div>
      <footer class="card-foot">
        <span class="card-presence">
          <Presence machine={machine} />
        </span>
        {condition === "online" && !machine.catchUp && <Traffic machine={machine} />}
      </footer>
      <Sparkline points={machine.cpu} />
    </div>
  );
});

/** Alone in reading the clock, so that a second changes this text and nothing else. */
export function Presence({ machine }: { readonly machine: Machine }) {
  return <>{catchingUp(machine) || presence(machine, now.value)}</>;
}

export function ClockFlag({ offsetMs }: { readonly offsetMs: number | null }) {
  if (offsetMs === null) return null;
  const words = clockError(offsetMs);
  return (
    <span class="flag" title={words}>
      <Icon name="clock" />
      <span class="flag-words">{words}</span>
    </span>
  );
}

/** Two machines at least push with one token, as clones of one disk do. */
export function TokenFlag({ origin }: { readonly origin: string | null }) {
  if (origin === null) return null;
  const words = "shares its token";
  return (
    <span class="flag" title={`${words}: several machines use that of ${origin}`}>
      <Icon name="copy" />
      <span class="flag-words">{words}</span>
    </span>
  );
}

/** How many jobs it works on, and the way to them. */
export function RunningJobs({ machine, tabIndex }: Pick<ItemProps, "machine" | "tabIndex">) {
  const { id, jobs } = machine;
  if (jobs === 0) return null;
  const words = `${plural(jobs, "job")} running`;
  return (
    <a class="running-jobs" href={jobsOfNode(id)} tabIndex={tabIndex} title={words} aria-label={words}>
      <Icon name="work" />
      {count(jobs)}
    </a>
  );
}

const TAGS_SHOWN = 2;

export function Tags({ tags }: { readonly tags: readonly string[] }) {
  if (tags.length === 0) return null;
  const more = tags.length - TAGS_SHOWN;
  return (
    <span class="tags" title={tags.join(", ")}>
      {tags.slice(0, TAGS_SHOWN).map((tag) => (
        <bdi class="tag" key={tag}>
          {tag}
        </bdi>
      ))}
      {more > 0 && <span class="tag tag-more">+{more}</span>}
    </span>
  );
}

function Traffic({ machine: { values } }: { readonly machine: Machine }) {
  const received = metric(values, "net.rx_bytes_per_s");
  const sent = metric(values, "net.tx_bytes_per_s");
  if (received === undefined && sent === undefined) return null;
  return (
    <span class="card-traffic">
      <span title="Received">
        <span aria-hidden="true">↓</span> {bytesPerSecond(received)}
      </span>
      <span title="Sent">
        <span aria-hidden="true">↑</span> {bytesPerSecond(sent)}
      </span>
    </span>
  );
}

export function machineInWords({ facts }: Machine): string {
  return [
    briefOs(facts.os) || "System unknown",
    facts.cpu_cores > 0 && plural(facts.cpu_cores, "core"),
    facts.mem_total_bytes > 0 && brief(memory(facts.mem_total_bytes)),
  ]
    .filter(Boolean)
    .join(" · ");
}

/** The whole card in a sentence, for those who hear it. */
export function described(machine: Machine): string {
  const { values } = machine;
  const figures = (
    [
      ["CPU", "cpu.pct"],
      ["memory", "mem.pct"],
      ["disk", "disk.pct"],
    ] as const
  )
    .filter(([, name]) => metric(values, name) !== undefined)
    .map(([label, name]) => `${label} ${percent(metric(values, name))}`);
  const condition = conditionOf(machine);
  const last = condition === "online" || condition === "degraded" || figures.length === 0 ? [] : ["last figures:"];
  const flags = machine.facts.shares_token_of === null ? [] : ["shares its token"];
  if (machine.jobs > 0) flags.push(`${plural(machine.jobs, "job")} running`);
  return [`${machine.name}: ${CONDITION_NAMES[condition]}`, ...flags, [...last, ...figures].join(" ")]
    .filter(Boolean)
    .join(", ");
}
