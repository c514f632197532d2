/** One part of the page of jobs: its heading, its rows, and the way to more of them. */

import { useEffect, useRef, useState } from "preact/hooks";
import { count } from "../../format/units";
import type { Section } from "../../jobs/lists";
import { useAction } from "../../ui/action";
import { Windowed } from "../../ui/windowed";
import type { JobSummary } from "../../wire/jobs";
import { JobRow, NARROW_ROW_HEIGHT, ROW_HEIGHT } from "./job-row";

interface JobSectionProps {
  readonly name: string;
  /** What stands first, where it is not the newest. */
  readonly order: string | undefined;
  /** Its rows have little to say. */
  readonly isBrief: boolean;
  /** How many there are; null: that is not known. */
  readonly total: number | null;
  readonly section: Section;
  /** Shown at first; without end where it is the only part. */
  readonly first: number;
  /** Shows nothing but this part; null: it does already. */
  readonly onAlone: (() => void) | null;
  readonly onMore: () => Promise<void>;
  readonly onDrawn: () => void;
}

const STEP = 200;
const ORDER =
  "By the time at which a job could first be started; each step of its priority is worth a minute. A worker takes the first that it can do.";

export function JobSection(props: JobSectionProps) {
  const { name, order, isBrief, total, section, first, onAlone, onMore, onDrawn } = props;
  const [most, setMost] = useState(first);
  const isNarrow = useNarrow();
  const { busy, failure, run } = useAction();
  const shown = section.jobs.slice(0, onAlone ? most : undefined);
  const left = (total ?? section.jobs.length) - shown.length;
  const hasMore = shown.length < section.jobs.length || section.hasMore;
  const known = new Map(shown.map((job): [string, JobSummary] => [job.id, job]));
  const showMore = () => {
    // Alone, all that is known is shown anyway; among others it is to be as short as it was.
    if (onAlone) setMost((before) => before + STEP);
    if (section.hasMore && (!onAlone || section.jobs.length < most + STEP)) run(onMore);
  };
  return (
    <section class="job-section" aria-label={name}>
      <header class="job-section-head">
        <h2>{name}</h2>
        <span class="job-section-count">
          {total === null ? `${count(section.jobs.length)}${section.hasMore ? "+" : ""}` : count(total)}
        </span>
        {order && (
          <span class="job-section-order" title={ORDER}>
            {order}
          </span>
        )}
        {onAlone && hasMore && (
          <button type="button" class="link-button" onClick={onAlone}>
            Show these alone
          </button>
        )}
      </header>
      <div class="panel job-list">
        <Windowed
          ids={shown.map((job) => job.id)}
          class="job-rows"
          role="list"
          label={name}
          onDrawn={onDrawn}
          rowHeight={isNarrow && !isBrief ? NARROW_ROW_HEIGHT : ROW_HEIGHT}
        >
          {(id, index, tabIndex) => {
            const job = known.get(id);
            return job && <JobRow key={id} job={job} index={index} tabIndex={tabIndex} />;
          }}
        </Windowed>
        {hasMore && (
          <More
            words={left > 0 && total !== null ? `Show more (${count(left)} left)` : "Show more"}
            failure={failure}
            busy={busy}
            onMore={showMore}
            isEager={onAlone === null}
          />
        )}
      </div>
    </section>
  );
}

interface MoreProps {
  readonly words: string;
  readonly busy: boolean;
  readonly failure: string;
  /** Goes on by itself once it is in sight. */
  readonly isEager: boolean;
  readonly onMore: () => void;
}

function More({ words, busy, failure, isEager, onMore }: MoreProps) {
  const button = useRef<HTMLButtonElement>(null);
  const latest = useRef(onMore);
  latest.current = onMore;
  const mayGoOn = isEager && !busy && !failure;
  useEffect(() => {
    if (!button.current || !mayGoOn) return;
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) latest.current();
      },
      { rootMargin: "600px" },
    );
    observer.observe(button.current);
    return () => {
      observer.disconnect();
    };
  }, [mayGoOn, words]);
  return (
    <p class="job-more">
      <button ref={button} type="button" class="link-button" disabled={busy} onClick={onMore}>
        {busy ? "Loading…" : words}
      </button>
      {failure && (
        <span class="failure" role="alert">
          {failure}
        </span>
      )}
    </p>
  );
}

const NARROW = matchMedia("(max-width: 640px)");

/** Whether the style sheet has no columns for the rows. */
function useNarrow(): boolean {
  const [narrow, setNarrow] = useState(NARROW.matches);
  useEffect(() => {
    const follow = () => {
      setNarrow(NARROW.matches);
    };
    NARROW.addEventListener("change", follow);
    return () => {
      NARROW.removeEventListener("change", follow);
    };
  }, []);
  return narrow;
}
