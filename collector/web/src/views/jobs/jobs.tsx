/** The jobs: what runs, what failed, what waits and why, and what there was. */

import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { workers as askForWorkers } from "../../jobs/api";
import { allOf, sectionOf, totalOf, type Section } from "../../jobs/lists";
import { formatJobsQuery, isFiltered, isNarrow, parseJobsQuery, EVERY_JOB } from "../../jobs/query";
import type { JobsQuery } from "../../jobs/query";
import { sectionsFor, type SectionKind } from "../../jobs/sections";
import { useKeys } from "../../keys";
import { replace } from "../../location";
import { mayChangeJobs, seesJobsAlone } from "../../session";
import "../../styles/jobs.css";
import { Failure } from "../../ui/action";
import { NoneMatch } from "../../ui/none-match";
import { Steady } from "../../ui/steady";
import { useTitle } from "../../ui/title";
import type { Workers } from "../../wire/jobs";
import { NewJob } from "../new-job/new-job";
import { pressAction } from "./actions";
import { NoJobsYet } from "./empty";
import { JobSkeletons } from "./late-jobs";
import { machineName } from "./machine-link";
import { JobSection } from "./section";
import { JobsToolbar } from "./toolbar";
import { useJobs, type JobsLoader } from "./use-jobs";
import { useDrop } from "./use-drop";
import { WorkersPanel } from "./workers";

const WORKERS_MS = 10_000;
const LEAST_WORKERS_MS = 2000;

export default function JobsView({ params }: { readonly params: URLSearchParams }) {
  const address = params.toString();
  const query = useMemo(() => parseJobsQuery(new URLSearchParams(address)), [address]);
  const steady = useRef(new Steady()).current;
  const known = useJobs(query, () => {
    steady.note();
  });
  const crew = useWorkers(known.lists?.counts.get("running") ?? 0);
  const [isNew, setNew] = useState(false);
  const [file, setFile] = useState<File | null>(null);
  const [showsWorkers, setShowsWorkers] = useState(false);
  // Until there is a job there is nothing to choose from.
  const hasToolbar = known.lists !== null && (allOf(known.lists.counts) > 0 || isFiltered(query));
  const isDropping = useDrop(mayChangeJobs.value && !isNew, (dropped) => {
    setFile(dropped);
    setNew(true);
  });
  useTitle("Jobs");

  const change = useCallback(
    (changes: Partial<JobsQuery>) => {
      replace({ page: "jobs", params: formatJobsQuery({ ...query, ...changes }) });
    },
    [query],
  );
  const onKey = useCallback(
    (key: string) => {
      if (key === "n" && mayChangeJobs.value) setNew(true);
      else if (key === "w") setShowsWorkers((before) => !before);
      else if (key === "r" || key === "x") return pressAction(key);
      else if (key === "Escape" && isFiltered(query)) change(EVERY_JOB);
      else return false;
      return true;
    },
    [query, change],
  );
  useKeys(onKey);

  return (
    <div class="jobs" aria-busy={known.isFetching}>
      <h1 class="unseen">Jobs</h1>
      {hasToolbar && (
        <JobsToolbar
          query={query}
          onChange={change}
          counts={known.lists?.counts ?? new Map<string, number>()}
          types={typesOf(known, crew)}
          nodes={nodesOf(known, crew)}
          onNew={() => {
            setNew(true);
          }}
        />
      )}
      <Failure reason={known.failure} />
      <Parts
        query={query}
        known={known}
        crew={crew}
        onChange={change}
        onNew={() => {
          setNew(true);
        }}
        onDrawn={() => {
          steady.settle();
        }}
        showsWorkers={showsWorkers}
        onWorkers={() => {
          setShowsWorkers(!showsWorkers);
        }}
      />
      {isDropping && <div class="drop-here">Drop the file: a new job</div>}
      {isNew && (
        <NewJob
          types={crew?.types ?? null}
          file={file}
          onClose={() => {
            setNew(false);
            setFile(null);
          }}
        />
      )}
    </div>
  );
}

interface PartsProps {
  readonly query: JobsQuery;
  readonly known: JobsLoader;
  readonly crew: Workers | null;
  readonly onChange: (change: Partial<JobsQuery>) => void;
  readonly onNew: () => void;
  readonly onDrawn: () => void;
  readonly showsWorkers: boolean;
  readonly onWorkers: () => void;
}

function Parts(props: PartsProps) {
  const { query, known, crew, onChange, onNew, onDrawn, showsWorkers, onWorkers } = props;
  const { lists } = known;
  if (!lists) return known.failure ? null : <JobSkeletons />;
  const hasWorkers = crew === null || seesJobsAlone.value || crew.workers.length > 0;
  if (allOf(lists.counts) === 0 && !isFiltered(query)) {
    return <NoJobsYet hasWorkers={hasWorkers} onNew={onNew} />;
  }
  const kinds = sectionsFor(query.statuses);
  const parts = kinds.map((kind) => ({ kind, section: sectionOf(lists, kind.statuses) }));
  const filled = parts.filter(({ section }) => section.jobs.length > 0 || section.hasMore);
  return (
    <>
      {crew === null && !seesJobsAlone.value && (
        <div class="panel workers-waiting" aria-hidden="true" />
      )}
      {crew && !seesJobsAlone.value && (
        <WorkersPanel
          known={crew}
          isOpen={showsWorkers}
          onToggle={onWorkers}
          running={sectionOf(lists, ["running"]).jobs}
        />
      )}
      <p class="unseen" role="status" aria-live="polite">
        {known.isFetching ? "" : shownInWords(filled)}
      </p>
      {filled.length === 0 && !known.isFetching && (
        <NoneMatch
          what="job"
          onClear={() => {
            onChange(EVERY_JOB);
          }}
        />
      )}
      {filled.map(({ kind, section }) => (
        <JobSection
          key={kind.name}
          name={kind.name}
          order={kind.order}
          isBrief={kind.isBrief ?? false}
          total={isNarrow(query) ? null : totalOf(lists.counts, kind.statuses)}
          section={section}
          first={kind.first}
          onAlone={
            kinds.length === 1
              ? null
              : () => {
                  onChange({ statuses: kind.statuses });
                }
          }
          onMore={() => known.more(kind.statuses)}
          onDrawn={onDrawn}
        />
      ))}
    </>
  );
}

interface Part {
  readonly kind: SectionKind;
  readonly section: Section;
}

function shownInWords(parts: readonly Part[]): string {
  return parts.map(({ kind, section }) => `${kind.name}: ${section.jobs.length}`).join(", ");
}

function typesOf({ lists }: JobsLoader, crew: Workers | null): readonly string[] {
  const found = new Set(crew?.types.map((type) => type.name));
  for (const job of lists?.jobs.values() ?? []) found.add(job.type);
  return [...found].sort();
}

function nodesOf({ lists }: JobsLoader, crew: Workers | null) {
  const found = new Set(crew?.workers.map((worker) => worker.node_id));
  for (const job of lists?.jobs.values() ?? []) if (job.node_id !== null) found.add(job.node_id);
  return [...found].sort().map((id): readonly [string, string] => [id, machineName(id)]);
}

/**
 * The workers and their types, asked for again when another number of jobs runs; null: not known
 * yet. A submitter is told the types alone.
 */
function useWorkers(running: number): Workers | null {
  const [known, setKnown] = useState<Workers | null>(null);
  const lookedAt = useRef(-Infinity);
  useEffect(() => {
    const look = () => {
      if (document.visibilityState !== "visible") return;
      const at = performance.now();
      lookedAt.current = at;
      askForWorkers().then(
        (found) => {
          if (at === lookedAt.current) setKnown(found);
        },
        () => undefined, // what the jobs say is enough until it can be asked again
      );
    };
    const wait = Math.max(0, lookedAt.current + LEAST_WORKERS_MS - performance.now());
    const soon = setTimeout(look, wait);
    const timer = setInterval(look, WORKERS_MS);
    return () => {
      clearTimeout(soon);
      clearInterval(timer);
    };
  }, [running]);
  return known;
}
