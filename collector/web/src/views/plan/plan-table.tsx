/** A plan as tables: for those who do not see the chart, and for looking something up. */

import { useState } from "preact/hooks";
import { count } from "../../format/units";
import type { Layout } from "../../plan/layout";
import { jobName, timeWords } from "../../plan/words";
import { Untrusted } from "../../ui/untrusted";
import type { Plan, PlanTask } from "../../wire/plan";

interface PlanTableProps {
  readonly plan: Plan;
  readonly layout: Layout;
}

const STEP = 200;

export function PlanTable({ plan, layout }: PlanTableProps) {
  const unit = plan.time_unit;
  const tasks = rowsOfTasks(layout);
  return (
    <div class="plan-tables">
      <LongTable
        title="Jobs"
        heads={["Job", "Ends", "Due", "Late"]}
        rows={plan.jobs}
        cells={(job) => [
          jobName(job),
          timeWords(job.end, unit),
          job.due === null ? "" : timeWords(job.due, unit),
          job.tardiness > 0 ? `+${timeWords(job.tardiness, unit)}` : "",
        ]}
      />
      <LongTable
        title={plan.resources.length > 0 ? "Machines and resources" : "Machines"}
        heads={["Name", "In use", "Set up", "Not available"]}
        rows={layout.rows}
        cells={(row) => [
          row.name,
          `${(row.use.work * 100).toFixed(0)} %`,
          row.use.setup > 0 ? `${(row.use.setup * 100).toFixed(0)} %` : "",
          row.unavailable.map(([from, to]) => `${count(from)}–${count(to)}`).join(", "),
        ]}
      />
      <LongTable
        title="Tasks"
        heads={["On", "Job", "Operation", "Start", "End", "Set-up"]}
        rows={tasks}
        cells={([task, places]) => {
          const job = layout.jobs.get(task.job)?.job;
          return [
            places.join(", "),
            job ? jobName(job) : task.job,
            task.operation,
            timeWords(task.start, unit),
            timeWords(task.end, unit),
            task.setup > 0 ? timeWords(task.setup, unit) : "",
          ];
        }}
      />
    </div>
  );
}

/** Each task once, with the names of all rows that it stands in. */
function rowsOfTasks(layout: Layout): readonly (readonly [PlanTask, readonly string[]])[] {
  const places = new Map<PlanTask, string[]>();
  for (const row of layout.rows) {
    for (const { task } of row.lanes.flat()) {
      const known = places.get(task);
      if (known) known.push(row.name);
      else places.set(task, [row.name]);
    }
  }
  return [...places];
}

interface LongTableProps<T> {
  readonly title: string;
  readonly heads: readonly string[];
  readonly rows: readonly T[];
  readonly cells: (row: T) => readonly string[];
}

function LongTable<T>({ title, heads, rows, cells }: LongTableProps<T>) {
  const [most, setMost] = useState(STEP);
  return (
    <div class="panel block">
      <div class="list-box">
        <table class="list plan-list">
          <caption>
            {title} <span class="hint">{count(rows.length)}</span>
          </caption>
          <thead>
            <tr>
              {heads.map((head) => (
                <th key={head} scope="col">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, most).map((row, place) => (
              <tr key={place}>
                {cells(row).map((cell, column) => (
                  <td key={column} data-said={column === 0 ? undefined : heads[column]?.toLowerCase()}>
                    {cell && <Untrusted text={cell} />}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > most && (
        <p>
          <button
            type="button"
            class="link-button"
            onClick={() => {
              setMost(most + STEP);
            }}
          >
            Show more ({count(rows.length - most)} left)
          </button>
        </p>
      )}
    </div>
  );
}
