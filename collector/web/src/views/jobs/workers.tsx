/** Who can do what: the workers, how they are, and how much more they can take. */

import { now } from "../../clock";
import { span } from "../../format/time";
import { plural } from "../../format/units";
import { jobsOfNode } from "../../route";
import { Icon } from "../../ui/icons";
import { Untrusted } from "../../ui/untrusted";
import type { JobSummary, Worker, Workers } from "../../wire/jobs";
import { useFirstOnes } from "../access/first-ones";
import { SwitchOn } from "./empty";
import { MachineLink } from "./machine-link";

interface WorkersPanelProps {
  readonly known: Workers;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
  /** Those that run, to tell by class how many slots are taken. */
  readonly running: readonly JobSummary[];
}

export function WorkersPanel({ known, isOpen, onToggle, running }: WorkersPanelProps) {
  const workers = current(known.workers);
  return (
    <section class="panel workers" aria-label="Workers">
      <button
        type="button"
        class="workers-summary"
        aria-expanded={isOpen}
        title="Workers (w)"
        onClick={onToggle}
      >
        <Icon name="next" />
        <strong>{plural(workers.length, "worker")}</strong>
        <span>{inWords(workers)}</span>
      </button>
      {isOpen &&
        (workers.length === 0 ? (
          <SwitchOn />
        ) : (
          <WorkerTable workers={workers} running={running} />
        ))}
    </section>
  );
}

/** All but those that are silent since another took their place. */
function current(workers: readonly Worker[]): readonly Worker[] {
  const heard = new Set(workers.filter(({ silent }) => !silent).map(({ node_id }) => node_id));
  return workers.filter(({ silent, node_id }) => !silent || !heard.has(node_id));
}

/** "2 ready, 1 paused (somebody is at it), 1 silent" */
function inWords(workers: readonly Worker[]): string {
  if (workers.length === 0) return "no machine takes jobs";
  const counts = new Map<string, number>();
  for (const worker of workers) {
    const word = worker.silent ? "silent" : worker.state;
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const words = ["ready", "paused", "draining", "silent"].flatMap((word) => {
    const found = counts.get(word);
    return found === undefined ? [] : [`${found} ${word}`];
  });
  const busy = workers.reduce((sum, worker) => sum + worker.running.length, 0);
  return [...words, ...(busy ? [`${plural(busy, "job")} running`] : [])].join(" · ");
}

type TableProps = Pick<WorkersPanelProps, "running"> & {
  readonly workers: readonly Worker[];
};

function WorkerTable({ workers, running }: TableProps) {
  const [shown, more] = useFirstOnes([...workers].sort(byUse));
  const classes = new Map(running.map((job) => [job.id, job.resource_class]));
  return (
    <div class="list-box">
      <table class="list workers-table">
        <thead>
          <tr>
            <th scope="col">Machine</th>
            <th scope="col">State</th>
            <th scope="col">Can do</th>
            <th scope="col">Slots in use</th>
            <th scope="col">Heard</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((worker) => (
            <tr key={worker.id}>
              <td title={worker.id}>
                <MachineLink id={worker.node_id} worker={worker.id} />
              </td>
              <td class={`worker-state is-${worker.silent ? "silent" : worker.state}`}>
                <WorkerState worker={worker} />
              </td>
              <td data-said="can do">
                <Untrusted text={worker.types.map(typeWords).join(", ") || "nothing"} />
              </td>
              <td data-said="slots">
                <Slots worker={worker} classes={classes} />
              </td>
              <td data-said="heard">
                <Heard at={worker.last_seen} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {more}
    </div>
  );
}

function WorkerState({ worker }: { readonly worker: Worker }) {
  const word = worker.silent ? "silent" : worker.state;
  const reason = worker.silent ? "three heartbeats are missing" : worker.reason;
  return (
    <>
      <strong>{word}</strong>
      {reason && (
        <>
          {": "}
          <Untrusted text={reason} />
        </>
      )}
    </>
  );
}

function typeWords({ name, version }: Worker["types"][number]): string {
  return version ? `${name} ${version}` : name;
}

interface SlotsProps {
  readonly worker: Worker;
  readonly classes: ReadonlyMap<string, string>;
}

/** "cpu 2/4 · io 0/10"; which class a job is of is known of those alone that are on this page. */
function Slots({ worker, classes }: SlotsProps) {
  const taken = (kind: string) => worker.running.filter((id) => classes.get(id) === kind).length;
  const isKnown = worker.running.every((id) => classes.has(id));
  const words = [...worker.slots].map(([kind, most]) =>
    isKnown ? `${kind} ${taken(kind)}/${most}` : `${kind} ${most}`,
  );
  const list = words.join(" · ") || "none";
  const { length } = worker.running;
  if (length === 0) return <>{list}</>;
  return (
    <a href={jobsOfNode(worker.node_id)} title={plural(length, "job")}>
      {isKnown ? list : `${length} of ${list}`}
    </a>
  );
}

function Heard({ at }: { readonly at: number }) {
  return <>{span(now.value - at)} ago</>;
}

/** Those that work first, then by what they could do. */
function byUse(a: Worker, b: Worker): number {
  const rank = (worker: Worker) => (worker.silent ? 2 : worker.state === "ready" ? 0 : 1);
  return (
    rank(a) - rank(b) || b.running.length - a.running.length || (a.node_id < b.node_id ? -1 : 1)
  );
}
