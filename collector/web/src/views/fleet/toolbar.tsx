/** What of the fleet is shown, and how. */

import type { RefObject } from "preact";
import {
  isFiltered,
  naturalDirection,
  SORT_KEYS,
  VIEWS,
  type FleetQuery,
  type SortKey,
} from "../../fleet/query";
import { CONDITIONS, type Condition } from "../../fleet/state";
import { CONDITION_NAMES } from "../../format/presence";
import { count } from "../../format/units";
import { Icon, StatusGlyph } from "../../ui/icons";
import { nextDirection } from "./row";

interface ToolbarProps {
  readonly query: FleetQuery;
  readonly onChange: (change: Partial<FleetQuery>) => void;
  readonly counts: Readonly<Record<Condition, number>>;
  readonly tags: readonly (readonly [tag: string, machines: number])[];
  readonly searchField: RefObject<HTMLInputElement | null>;
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

const NOTHING_CHOSEN = { statuses: [], tags: [], search: "" } as const;

export function Toolbar({ query, onChange, counts, tags, searchField }: ToolbarProps) {
  return (
    <div class="toolbar" role="search" data-sticky>
      <label class="search">
        <Icon name="search" />
        <span class="unseen">Search machines</span>
        <input
          ref={searchField}
          type="search"
          placeholder="Search name, system, tag"
          autocomplete="off"
          spellcheck={false}
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
        {CONDITIONS.filter((condition) => isOffered(condition, query, counts)).map((condition) => (
          <StatusChip
            key={condition}
            condition={condition}
            machines={counts[condition]}
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
          <button
            type="button"
            class="chip chip-clear"
            onClick={() => {
              onChange(NOTHING_CHOSEN);
            }}
          >
            Clear
          </button>
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

interface StatusChipProps {
  readonly condition: Condition;
  readonly machines: number;
  readonly pressed: boolean;
  readonly onToggle: () => void;
}

function StatusChip({ condition, machines, pressed, onToggle }: StatusChipProps) {
  return (
    <button
      type="button"
      class={machines === 0 ? "chip chip-none" : "chip"}
      aria-pressed={pressed}
      onClick={onToggle}
    >
      <StatusGlyph condition={condition} />
      <span>{CONDITION_NAMES[condition]}</span>
      <span class="chip-count">{count(machines)}</span>
    </button>
  );
}

type PartProps = Pick<ToolbarProps, "query" | "onChange">;

function TagSelect({ query, onChange, tags }: PartProps & Pick<ToolbarProps, "tags">) {
  return (
    <label class="select">
      <span class="unseen">Filter by tag</span>
      <select
        value=""
        onChange={(event) => {
          const tag = event.currentTarget.value;
          event.currentTarget.value = "";
          if (tag) onChange({ tags: [...query.tags.filter((known) => known !== tag), tag] });
        }}
      >
        <option value="">Tag</option>
        {tags
          .filter(([tag]) => !query.tags.includes(tag))
          .map(([tag, machines]) => (
            <option key={tag} value={tag}>{`${tag} (${machines})`}</option>
          ))}
      </select>
    </label>
  );
}

function SortSelect({ query, onChange }: PartProps) {
  const up = query.direction === "asc";
  return (
    <div class="sorting">
      <label class="select">
        <span class="unseen">Sort</span>
        <select
          value={query.sort}
          onChange={(event) => {
            const sort = SORT_KEYS.find((key) => key === event.currentTarget.value);
            if (sort) onChange({ sort, direction: naturalDirection(sort) });
          }}
        >
          {SORT_KEYS.map((key) => (
            <option key={key} value={key}>
              {SORT_NAMES[key]}
            </option>
          ))}
        </select>
      </label>
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

function toggled<T>(chosen: readonly T[], one: T): readonly T[] {
  return chosen.includes(one) ? chosen.filter((other) => other !== one) : [...chosen, one];
}
