/** Which jobs are shown, and the way to a new one. */

import { totalOf } from "../../jobs/lists";
import { EVERY_JOB, isFiltered, type JobsQuery } from "../../jobs/query";
import { STATUS_NAMES } from "../../jobs/words";
import { mayChangeJobs } from "../../session";
import { Icon } from "../../ui/icons";
import { Choice, ClearChip, Search, StatusChip, toggled } from "../../ui/toolbar";
import { JOB_STATUSES, type JobCounts, type JobStatus } from "../../wire/jobs";
import { JobGlyph } from "./glyph";

interface ToolbarProps {
  readonly query: JobsQuery;
  readonly onChange: (change: Partial<JobsQuery>) => void;
  readonly counts: JobCounts;
  readonly types: readonly string[];
  /** Ids and what people call them. */
  readonly nodes: readonly (readonly [id: string, name: string])[];
  readonly onNew: () => void;
}

export function JobsToolbar(props: ToolbarProps) {
  const { query, onChange, counts, types, nodes, onNew } = props;
  return (
    <div class="toolbar jobs-toolbar" role="search" data-sticky>
      <Search
        label="Search jobs"
        placeholder="Search name or id"
        maxLength={64}
        value={query.search}
        onChange={(search) => {
          onChange({ search });
        }}
      />

      <div class="chips" role="group" aria-label="Show only">
        {JOB_STATUSES.filter((status) => isOffered(status, query, counts)).map((status) => (
          <StatusChip
            key={status}
            glyph={<JobGlyph status={status} />}
            name={STATUS_NAMES[status]}
            found={totalOf(counts, [status])}
            pressed={query.statuses.includes(status)}
            onToggle={() => {
              onChange({ statuses: toggled(query.statuses, status) });
            }}
          />
        ))}
        {isFiltered(query) && (
          <ClearChip
            onClear={() => {
              onChange(EVERY_JOB);
            }}
          />
        )}
      </div>

      <div class="toolbar-end">
        <Choice
          label="Type"
          value={query.type}
          options={[["", "Type"], ...types.map((type) => [type, type] as const)]}
          onChange={(type) => {
            onChange({ type });
          }}
        />
        {(nodes.length > 0 || query.node) && (
          <Choice
            label="Machine"
            value={query.node}
            options={[["", "Machine"], ...nodes]}
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
