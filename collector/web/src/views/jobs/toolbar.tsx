/** Which jobs are shown, and the way to a new one. */

import type { RefObject } from "preact";
import { totalOf } from "../../jobs/lists";
import { EVERY_JOB, isFiltered, type JobsQuery } from "../../jobs/query";
import { STATUS_NAMES } from "../../jobs/words";
import { count } from "../../format/units";
import { mayChangeJobs } from "../../session";
import { Icon } from "../../ui/icons";
import { JOB_STATUSES, type JobCounts, type JobStatus } from "../../wire/jobs";
import { JobGlyph } from "./glyph";

interface ToolbarProps {
  readonly query: JobsQuery;
  readonly onChange: (change: Partial<JobsQuery>) => void;
  readonly counts: JobCounts;
  readonly types: readonly string[];
  /** Ids and what people call them. */
  readonly nodes: readonly (readonly [id: string, name: string])[];
  readonly searchField: RefObject<HTMLInputElement | null>;
  readonly onNew: () => void;
}

export function JobsToolbar(props: ToolbarProps) {
  const { query, onChange, counts, types, nodes, searchField, onNew } = props;
  return (
    <div class="toolbar jobs-toolbar" role="search" data-sticky>
      <label class="search">
        <Icon name="search" />
        <span class="unseen">Search jobs</span>
        <input
          ref={searchField}
          type="search"
          placeholder="Search name or id"
          autocomplete="off"
          spellcheck={false}
          maxLength={64}
          value={query.search}
          onInput={(event) => {
            onChange({ search: event.currentTarget.value });
          }}
          onKeyDown={(event) => {
            if (event.key !== "Escape") return;
            event.preventDefault();
            if (query.search) onChange({ search: "" });
            else event.currentTarget.blur();
          }}
        />
        <kbd aria-hidden="true">/</kbd>
      </label>

      <div class="chips" role="group" aria-label="Show only">
        {JOB_STATUSES.filter((status) => isOffered(status, query, counts)).map((status) => (
          <StatusChip
            key={status}
            status={status}
            jobs={totalOf(counts, [status])}
            pressed={query.statuses.includes(status)}
            onToggle={() => {
              onChange({ statuses: toggled(query.statuses, status) });
            }}
          />
        ))}
        {isFiltered(query) && (
          <button
            type="button"
            class="chip chip-clear"
            onClick={() => {
              onChange(EVERY_JOB);
            }}
          >
            Clear
          </button>
        )}
      </div>

      <div class="toolbar-end">
        <Choice
          label="Type"
          any="Type"
          value={query.type}
          options={types.map((type) => [type, type])}
          onChange={(type) => {
            onChange({ type });
          }}
        />
        {nodes.length > 0 && (
          <Choice
            label="Machine"
            any="Machine"
            value={query.node}
            options={nodes}
            onChange={(node) => {
              onChange({ node });
            }}
          />
        )}
        {mayChangeJobs.value && (
          <button type="button" class="button button-primary" title="New job (n)" onClick={onNew}>
            <Icon name="plus" /> New job
          </button>
        )}
      </div>
    </div>
  );
}

/** What there hardly ever is needs no button while there is none. */
function isOffered(status: JobStatus, query: JobsQuery, counts: JobCounts): boolean {
  const isRare = status === "waiting" || status === "cancelled";
  return !isRare || query.statuses.includes(status) || totalOf(counts, [status]) > 0;
}

interface StatusChipProps {
  readonly status: JobStatus;
  readonly jobs: number;
  readonly pressed: boolean;
  readonly onToggle: () => void;
}

function StatusChip({ status, jobs, pressed, onToggle }: StatusChipProps) {
  return (
    <button
      type="button"
      class={jobs === 0 ? "chip chip-none" : "chip"}
      aria-pressed={pressed}
      onClick={onToggle}
    >
      <JobGlyph status={status} />
      <span>{STATUS_NAMES[status]}</span>
      <span class="chip-count">{count(jobs)}</span>
    </button>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly any: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, words: string])[];
  readonly onChange: (value: string) => void;
}

function Choice({ label, any, value, options, onChange }: ChoiceProps) {
  // What the address asks for is chosen, known or not.
  const isKnown = value === "" || options.some(([known]) => known === value);
  return (
    <label class="select">
      <span class="unseen">{label}</span>
      <select
        value={value}
        onChange={(event) => {
          onChange(event.currentTarget.value);
        }}
      >
        <option value="">{any}</option>
        {!isKnown && <option value={value}>{value.slice(0, 64)}</option>}
        {options.map(([one, words]) => (
          <option key={one} value={one}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

function toggled<T>(chosen: readonly T[], one: T): readonly T[] {
  return chosen.includes(one) ? chosen.filter((other) => other !== one) : [...chosen, one];
}
