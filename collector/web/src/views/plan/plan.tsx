/** A production plan: what it is worth, and its tasks as a chart or as a table. */

import { useMemo, useState } from "preact/hooks";
import { gapOf, share } from "../../jobs/words";
import { layOut } from "../../plan/layout";
import { jobName, lateWords, timeWords } from "../../plan/words";
import { plainNumber, plural } from "../../format/units";
import "../../styles/plan.css";
import { Untrusted } from "../../ui/untrusted";
import type { Plan } from "../../wire/plan";
import { Gantt } from "./gantt";
import { PlanTable } from "./plan-table";

interface PlanProps {
  readonly plan: Plan;
  /** What its picture is called. */
  readonly name: string;
}

/** As many jobs as are told apart at a glance have a key each; more are chosen from a list. */
const MOST_KEYS = 16;

export default function PlanView({ plan, name }: PlanProps) {
  const layout = useMemo(() => layOut(plan), [plan]);
  const [picked, setPicked] = useState<string | null>(null);
  const [isTable, setTable] = useState(false);
  return (
    <section class="section plan" aria-label="Plan">
      <div class="plan-head">
        <h2>Plan</h2>
        <div class="switch-words" role="group" aria-label="Show as">
          {["Chart", "Table"].map((word) => (
            <button
              key={word}
              type="button"
              aria-pressed={isTable === (word === "Table")}
              onClick={() => {
                setTable(word === "Table");
              }}
            >
              {word}
            </button>
          ))}
        </div>
      </div>
      <PlanFigures plan={plan} late={layout.late.length} />
      {isTable ? (
        <PlanTable plan={plan} layout={layout} />
      ) : (
        <div class="panel plan-panel">
          <Gantt
            layout={layout}
            unit={plan.time_unit}
            picked={picked}
            onPick={setPicked}
            name={name}
            summary={summaryOf(plan, layout.rows.length, layout.late.length)}
          />
          <div class="plan-keys">
            {plan.jobs.length <= MOST_KEYS ? (
              plan.jobs.map((job) => {
                const marks = layout.jobs.get(job.id);
                return (
                  <button
                    key={job.id}
                    type="button"
                    class={job.tardiness > 0 ? "plan-key is-late" : "plan-key"}
                    aria-pressed={picked === job.id}
                    onClick={() => {
                      setPicked(picked === job.id ? null : job.id);
                    }}
                  >
                    <span
                      class="plan-ink"
                      data-hue={(marks?.hue ?? 0) + 1}
                      data-pattern={marks?.pattern ?? 0}
                      aria-hidden="true"
                    />
                    <Untrusted text={jobName(job)} />
                    {job.tardiness > 0 && <small>late +{timeWords(job.tardiness, plan.time_unit)}</small>}
                  </button>
                );
              })
            ) : (
              <JobChoice plan={plan} picked={picked} onPick={setPicked} />
            )}
            <Signs plan={plan} late={layout.late.length} />
          </div>
        </div>
      )}
    </section>
  );
}

/** Of those signs alone that this plan has. */
function Signs({ plan, late }: { readonly plan: Plan; readonly late: number }) {
  const signs: readonly (readonly [string, string, boolean])[] = [
    ["sign-setup", "set-up", plan.tasks.some((task) => task.setup > 0)],
    ["sign-closed", "not available", plan.machines.some((one) => one.unavailable.length > 0)],
    ["sign-late", "late, due", late > 0],
  ];
  const there = signs.filter(([, , isThere]) => isThere);
  if (there.length === 0) return null;
  return (
    <ul class="plan-signs">
      {there.map(([sign, word]) => (
        <li key={sign}>
          <span class={sign} aria-hidden="true" /> {word}
        </li>
      ))}
    </ul>
  );
}

function PlanFigures({ plan, late }: { readonly plan: Plan; readonly late: number }) {
  const { objective, bound, objectives, status, time_unit: unit } = plan;
  const gap = gapOf(objective, bound);
  const makespan = objectives.get("makespan") ?? plan.horizon;
  const tardiness = objectives.get("weighted_tardiness");
  const figures: readonly (readonly [string, string, string])[] = [
    ["Makespan", timeWords(makespan, unit), ""],
    ["Late", lateWords(plan, late), ""],
    ["Weighted tardiness", tardiness === undefined || late === 0 ? "" : plainNumber(tardiness), ""],
    ["Objective", plainNumber(objective), status === "optimal" ? "proved to be the best" : ""],
    ["Bound", bound === null || status === "optimal" ? "" : plainNumber(bound), ""],
    ["Gap", gap === null || status === "optimal" ? "" : share(gap), ""],
    [
      "Size",
      plural(plan.tasks.length, "task"),
      `${plural(plan.jobs.length, "job")}, ${plural(plan.machines.length, "machine")}`,
    ],
  ];
  return (
    <dl class="plan-figures panel">
      {figures
        .filter(([, figure]) => figure)
        .map(([label, figure, note]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              <strong>
                <Untrusted text={figure} />
              </strong>
              {note && <small>{note}</small>}
            </dd>
          </div>
        ))}
    </dl>
  );
}

interface JobChoiceProps {
  readonly plan: Plan;
  readonly picked: string | null;
  readonly onPick: (job: string | null) => void;
}

const MOST_CHOICES = 2000;

function JobChoice({ plan, picked, onPick }: JobChoiceProps) {
  // The late ones are those one looks for.
  const jobs = [...plan.jobs].sort((a, b) => b.tardiness - a.tardiness).slice(0, MOST_CHOICES);
  return (
    <label class="select plan-choice">
      <span>Highlight</span>
      <select
        value={picked ?? ""}
        onChange={(event) => {
          onPick(event.currentTarget.value || null);
        }}
      >
        <option value="">no job</option>
        {jobs.map((job) => (
          <option key={job.id} value={job.id}>
            {job.tardiness > 0
              ? `${jobName(job)}: late +${timeWords(job.tardiness, plan.time_unit)}`
              : jobName(job)}
          </option>
        ))}
      </select>
    </label>
  );
}

function summaryOf(plan: Plan, rows: number, late: number): string {
  const words = [
    `${plural(plan.tasks.length, "task")} of ${plural(plan.jobs.length, "job")}`,
    `in ${plural(rows, "row")}`,
    `until ${timeWords(plan.horizon, plan.time_unit)}`,
    late > 0 && `${plural(late, "job")} late`,
  ];
  return words.filter(Boolean).join(", ");
}
