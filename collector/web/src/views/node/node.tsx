/** One machine: its facts, its figures now, its recent past. */

import { lazy, Suspense } from "preact/compat";
import { useCallback, useEffect, useState } from "preact/hooks";
import { node, nodeSnapshot } from "../../api";
import { inLocalTime } from "../../clock";
import { metric } from "../../fleet/metric";
import { conditionOf, type Machine } from "../../fleet/state";
import { CONDITION_NAMES } from "../../format/presence";
import { clockError, exactMoment, longSpan } from "../../format/time";
import { memory, percent } from "../../format/units";
import { goToFleet } from "../../location";
import { FLEET } from "../../route";
import { isAdmin } from "../../session";
import { fleet } from "../../stream/client";
import { Failure } from "../../ui/action";
import { Icon, StatusGlyph } from "../../ui/icons";
import { useLoaded } from "../../ui/load";
import { Bar } from "../../ui/meter";
import { Untrusted } from "../../ui/untrusted";
import type { NodeSnapshot, Values } from "../../wire/messages";
import { Presence } from "../fleet/card";
import { EditMachine } from "./edit";
import { ForgetMachine } from "./forget";
import { cores, readingGroups } from "./readings";
import { MachineTokens } from "./tokens";

const Charts = lazy(() => import("./charts"));

const REFRESH_MS = 5000;

export function NodeView({ id }: { readonly id: string }) {
  const known = fleet.value;
  const machine = known?.get(id);
  if (!known) return <p class="loading">Loading…</p>;
  if (!machine) return <UnknownMachine id={id} />;
  return <KnownMachine machine={machine} />;
}

function UnknownMachine({ id }: { readonly id: string }) {
  return (
    <section class="empty">
      <h1>
        There is no machine <bdi>{id.slice(0, 64)}</bdi>
      </h1>
      <p>It has not reported yet, or it was forgotten. It appears here as soon as it reports.</p>
      <a class="button" href={FLEET}>
        Go to the fleet
      </a>
    </section>
  );
}

function KnownMachine({ machine }: { readonly machine: Machine }) {
  const { id } = machine;
  const [dialog, setDialog] = useState<"edit" | "forget" | null>(null);
  const [snapshot, reload] = useLoaded(useCallback(() => nodeSnapshot(id), [id]));
  useEvery(REFRESH_MS, reload);
  const condition = conditionOf(machine);
  const close = () => {
    setDialog(null);
  };
  return (
    <article class={`node is-${condition}`} data-node-id={id} data-status={machine.status}>
      <header class="node-head">
        <a
          class="button-icon"
          href={FLEET}
          aria-label="Back to the fleet"
          onClick={(event) => {
            event.preventDefault();
            goToFleet();
          }}
        >
          <Icon name="back" />
        </a>
        <h1>
          <Untrusted text={machine.name} />
        </h1>
        <p class={`node-status status-${condition}`}>
          <StatusGlyph condition={condition} /> <strong>{CONDITION_NAMES[condition]}</strong>
          <span class="node-presence">
            <Presence machine={machine} />
          </span>
        </p>
        {isAdmin.value && (
          <div class="node-actions">
            <button
              type="button"
              class="button"
              onClick={() => {
                setDialog("edit");
              }}
            >
              <Icon name="edit" /> Edit
            </button>
            <button
              type="button"
              class="button button-danger"
              onClick={() => {
                setDialog("forget");
              }}
            >
              Forget
            </button>
          </div>
        )}
      </header>
      <Facts machine={machine} />
      {snapshot.state === "failed" && <Failure reason={snapshot.reason} />}
      {snapshot.state === "loading" && <ChartSkeletons />}
      {snapshot.state === "ready" && <Past snapshot={snapshot.value} />}
      {isAdmin.value && <MachineTokens nodeId={id} />}
      {dialog === "edit" && <EditMachine machine={machine} onClose={close} />}
      {dialog === "forget" && <ForgetMachine machine={machine} onClose={close} />}
    </article>
  );
}

/** Runs on and on while somebody looks. */
function useEvery(ms: number, run: () => void): void {
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") run();
    }, ms);
    return () => {
      clearInterval(timer);
    };
  }, [ms, run]);
}

function Facts({ machine: { id, facts, values } }: { readonly machine: Machine }) {
  // Cards carry what cards show; the rest of the host's facts is asked for here.
  const [detail] = useLoaded(useCallback(() => node(id), [id]));
  const host = detail.state === "ready" ? detail.value.host : undefined;
  const uptime = metric(values, "uptime.s");
  const rows: readonly (readonly [string, string])[] = [
    ["Id", id],
    ["System", facts.os],
    ["Kernel", [host?.kernel, host?.arch].filter(Boolean).join(" · ")],
    ["Processor", host?.cpu_model ?? ""],
    ["Cores", facts.cpu_cores ? String(facts.cpu_cores) : ""],
    ["Memory", facts.mem_total_bytes ? memory(facts.mem_total_bytes) : ""],
    ["Up for", uptime === undefined ? "" : longSpan(uptime * 1000)],
    ["Known since", exactMoment(inLocalTime(facts.first_seen)).slice(0, -3)],
    ["Agent", facts.agent_version],
    ["Tags", facts.tags.join(", ")],
    ["Normally off", facts.ephemeral ? "yes" : ""],
    ["Clock", facts.clock_offset_ms === null ? "" : clockError(facts.clock_offset_ms)],
  ];
  return (
    <dl class="panel facts">
      {rows
        .filter(([, fact]) => fact)
        .map(([label, fact]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              <Untrusted text={fact} />
            </dd>
          </div>
        ))}
    </dl>
  );
}

function Past({ snapshot }: { readonly snapshot: NodeSnapshot }) {
  const { points } = snapshot;
  const last = points.at(-1);
  if (!last) return <p class="loading">This machine has sent no figures in the last 48 hours.</p>;
  return (
    <>
      <Suspense fallback={<ChartSkeletons />}>
        <Charts points={points} />
      </Suspense>
      <Readings values={last.values} />
    </>
  );
}

function ChartSkeletons() {
  return (
    <div class="charts" role="status" aria-label="Loading the charts">
      {Array.from({ length: 4 }, (_, index) => (
        <div key={index} class="panel chart skeleton" />
      ))}
    </div>
  );
}

function Readings({ values }: { readonly values: Values }) {
  const perCore = cores(values);
  return (
    <section class="readings" aria-label="Figures now">
      {perCore.length > 1 && (
        <div class="panel reading-group reading-cores">
          <h2>Cores</h2>
          <ol class="cores">
            {perCore.map((pct, core) => (
              <li key={core} title={`Core ${core}: ${percent(pct)}`}>
                <Bar pct={pct} />
                <span class="unseen">{`Core ${core}: ${percent(pct)}`}</span>
              </li>
            ))}
          </ol>
        </div>
      )}
      {readingGroups(values).map((group) => (
        <div key={group.title} class="panel reading-group">
          <h2>{group.title}</h2>
          <dl>
            {group.readings.map((reading) => (
              <div key={reading.label}>
                <dt>
                  <Untrusted text={reading.label} />
                </dt>
                <dd>{reading.figure}</dd>
                {reading.pct !== undefined && <Bar pct={reading.pct} />}
              </div>
            ))}
          </dl>
        </div>
      ))}
    </section>
  );
}
