/** What of the fleet is shown, and how. */

import {
  EVERY_MACHINE,
  isFiltered,
  naturalDirection,
  SORT_KEYS,
  VIEWS,
  type FleetQuery,
  type SortKey,
} from "../../fleet/query";
import { CONDITIONS, type Condition } from "../../fleet/state";
import { CONDITION_NAMES } from "../../format/presence";
import { Icon, StatusGlyph } from "../../ui/icons";
import { Choice, ClearChip, Search, StatusChip, toggled } from "../../ui/toolbar";
import { nextDirection } from "./row";

interface ToolbarProps {
  readonly query: FleetQuery;
  readonly onChange: (change: Partial<FleetQuery>) => void;
  readonly counts: Readonly<Record<Condition, number>>;
  readonly tags: readonly (readonly [tag: string, machines: number])[];
}

const SORT_NAMES: Readonly<Record<SortKey, string>> = {
  status: "By status",
  name: "By name",
  cpu: "By CPU",
  memory: "By memory",
  disk: "By disk",
  traffic: "By traffic",
  seen: "By last seen",
};

export function Toolbar({ query, onChange, counts, tags }: ToolbarProps) {
  return (
    <div class="toolbar" role="search" data-sticky>
      <Search
        label="Search machines"
        placeholder="Search name, system, tag"
        value={query.search}
        onChange={(search) => {
          onChange({ search });
        }}
      />

      <div class="chips" role="group" aria-label="Show only">
        {CONDITIONS.filter((condition) => isOffered(condition, query, counts)).map((condition) => (
          <StatusChip
            key={condition}
            glyph={<StatusGlyph condition={condition} />}
            name={CONDITION_NAMES[condition]}
            found={counts[condition]}
            pressed={query.statuses.includes(condition)}
            onToggle={() => {
              onChange({ statuses: toggled(query.statuses, condition) });
            }}
          />
        ))}
        {query.tags.map((tag) => (
          <button
            key={tag}
            type="button"
            class="chip"
            aria-pressed="true"
            aria-label={`Tag ${tag}: stop filtering`}
            onClick={() => {
              onChange({ tags: toggled(query.tags, tag) });
            }}
          >
            <bdi>{tag}</bdi>
            <Icon name="close" />
          </button>
        ))}
        {isFiltered(query) && (
          <ClearChip
            onClear={() => {
              onChange(EVERY_MACHINE);
            }}
          />
        )}
      </div>

      <div class="toolbar-end">
        {tags.length > 0 && <TagSelect query={query} onChange={onChange} tags={tags} />}
        <SortSelect query={query} onChange={onChange} />
        <ViewSwitch query={query} onChange={onChange} />
      </div>
    </div>
  );
}

/** Faults that there are none of need no button. */
function isOffered(
  condition: Condition,
  query: FleetQuery,
  counts: Readonly<Record<Condition, number>>,
): boolean {
  return condition !== "off" || counts.off > 0 || query.statuses.includes("off");
}

type PartProps = Pick<ToolbarProps, "query" | "onChange">;

function TagSelect({ query, onChange, tags }: PartProps & Pick<ToolbarProps, "tags">) {
  return (
    <Choice
      label="Filter by tag"
      value=""
      options={[
        ["", "Tag"],
        ...tags
          .filter(([tag]) => !query.tags.includes(tag))
          .map(([tag, machines]) => [tag, `${tag} (${machines})`] as const),
      ]}
      onChange={(tag) => {
        if (tag) onChange({ tags: [...query.tags.filter((known) => known !== tag), tag] });
      }}
    />
  );
}

function SortSelect({ query, onChange }: PartProps) {
  const up = query.direction === "asc";
  return (
    <div class="sorting">
      <Choice
        label="Sort"
        value={query.sort}
        options={SORT_KEYS.map((key) => [key, SORT_NAMES[key]])}
        onChange={(sort) => {
          onChange({ sort, direction: naturalDirection(sort) });
        }}
      />
      <button
        type="button"
        class="button-icon"
        aria-label={up ? "Sorted upwards: reverse" : "Sorted downwards: reverse"}
        title="Reverse the order"
        onClick={() => {
          onChange({ direction: nextDirection(query, query.sort) });
        }}
      >
        <Icon name={up ? "up" : "down"} />
      </button>
    </div>
  );
}

function ViewSwitch({ query, onChange }: PartProps) {
  return (
    <div class="switch" role="group" aria-label="View">
      {VIEWS.map((view) => (
        <button
          key={view}
          type="button"
          class="button-icon"
          aria-pressed={query.view === view}
          aria-label={view === "cards" ? "Cards" : "Table"}
          title={`${view === "cards" ? "Cards" : "Table"} (v)`}
          onClick={() => {
            onChange({ view });
          }}
        >
          <Icon name={view} />
        </button>
      ))}
    </div>
  );
}
