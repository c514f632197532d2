/** What seldom changes about a machine. */

import { useCallback } from "preact/hooks";
import { node } from "../../api";
import { inLocalTime } from "../../clock";
import type { Machine } from "../../fleet/state";
import { clockError, exactMoment } from "../../format/time";
import { memory } from "../../format/units";
import { useLoaded } from "../../ui/load";
import { Untrusted } from "../../ui/untrusted";

export function Facts({ machine: { id, facts } }: { readonly machine: Machine }) {
  // Cards carry what cards show; the rest of the host's facts is asked for here.
  const [detail] = useLoaded(useCallback(() => node(id), [id]));
  const host = detail.state === "ready" ? detail.value.host : undefined;
  const rows: readonly (readonly [string, string])[] = [
    ["Id", id],
    ["Host name", host?.hostname ?? ""],
    ["System", facts.os],
    ["Kernel", [host?.kernel, host?.arch].filter(Boolean).join(" · ")],
    ["Processor", host?.cpu_model ?? ""],
    ["Cores", facts.cpu_cores ? String(facts.cpu_cores) : ""],
    ["Memory", facts.mem_total_bytes ? memory(facts.mem_total_bytes) : ""],
    ["Started", host?.boot_time ? exactMoment(inLocalTime(host.boot_time)).slice(0, -3) : ""],
    ["Known since", exactMoment(inLocalTime(facts.first_seen)).slice(0, -3)],
    ["Agent", facts.agent_version],
    ["Tags", facts.tags.join(", ")],
    ["Normally off", facts.ephemeral ? "yes" : ""],
    ["Clock", facts.clock_offset_ms === null ? "" : clockError(facts.clock_offset_ms)],
  ];
  return (
    <section class="section" aria-label="Facts">
      <h2>Facts</h2>
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
    </section>
  );
}
