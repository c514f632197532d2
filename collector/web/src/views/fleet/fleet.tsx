/** The fleet: a summary, and every machine as a card or a row. */

import { useCallback, useMemo } from "preact/hooks";
import {
  EVERY_MACHINE,
  formatFleetQuery,
  isFiltered,
  parseFleetQuery,
  type FleetQuery,
} from "../../fleet/query";
import type { Fleet } from "../../fleet/state";
import { summarise, tagCounts } from "../../fleet/summary";
import { columnsFor } from "../../fleet/window";
import { count, plural } from "../../format/units";
import { useKeys } from "../../keys";
import { replace } from "../../location";
import { isAdmin } from "../../session";
import { fleet as liveFleet } from "../../stream/client";
import { NoneMatch } from "../../ui/none-match";
import { throttled } from "../../ui/throttle";
import { Windowed } from "../../ui/windowed";
import { Card, CARD_GAP, CARD_HEIGHT, CARD_MIN_WIDTH } from "./card";
import { NoMachines, Skeletons } from "./empty";
import { useOrder } from "./order";
import { Row, ROW_HEIGHT, TableHead } from "./row";
import { FleetSummary } from "./summary";
import { Toolbar } from "./toolbar";

/** Figures about the whole fleet change at a reader's pace. */
const overview = throttled(
  liveFleet,
  (fleet) => fleet && { fleet, summary: summarise(fleet), tags: tagCounts(fleet) },
  1000,
);

interface FleetViewProps {
  readonly params: URLSearchParams;
  readonly onAdd: () => void;
}

export function FleetView({ params, onAdd }: FleetViewProps) {
  const fleet = liveFleet.value;
  const whole = overview.value;
  if (!fleet || !whole) return <Skeletons />;
  if (fleet.size === 0) return <NoMachines onAdd={isAdmin.value ? onAdd : null} />;
  return (
    <>
      <FleetSummary summary={whole.summary} fleet={whole.fleet} />
      <Machines fleet={fleet} params={params} counts={whole.summary.counts} tags={whole.tags} />
    </>
  );
}

interface MachinesProps {
  readonly fleet: Fleet;
  readonly params: URLSearchParams;
  readonly counts: Parameters<typeof Toolbar>[0]["counts"];
  readonly tags: Parameters<typeof Toolbar>[0]["tags"];
}

function Machines({ fleet, params, counts, tags }: MachinesProps) {
  const query = useMemo(() => parseFleetQuery(params), [params]);
  const change = useCallback(
    (changes: Partial<FleetQuery>) => {
      replace({ page: "fleet", params: formatFleetQuery({ ...query, ...changes }) });
    },
    [query],
  );
  const onKey = useCallback(
    (key: string) => {
      if (key === "v") change({ view: query.view === "cards" ? "table" : "cards" });
      else if (key === "Escape" && isFiltered(query)) change(EVERY_MACHINE);
      else return false;
      return true;
    },
    [query, change],
  );
  useKeys(onKey);
  const { ids, onHand, onHandGone } = useOrder(fleet, query);

  return (
    <section aria-label="Machines">
      <Toolbar
        query={query}
        onChange={change}
        counts={counts}
        tags={tags}
      />
      <p class="shown" role="status" aria-live="polite">
        {isFiltered(query)
          ? `${count(ids.length)} of ${plural(fleet.size, "machine")}`
          : plural(fleet.size, "machine")}
      </p>
      {ids.length === 0 ? (
        <NoneMatch
          what="machine"
          onClear={() => {
            change(EVERY_MACHINE);
          }}
        />
      ) : (
        <div onPointerMove={onHand} onPointerLeave={onHandGone} onFocusIn={onHand}>
          {query.view === "cards" ? (
            <Cards fleet={fleet} ids={ids} />
          ) : (
            <Table fleet={fleet} ids={ids} query={query} onChange={change} />
          )}
        </div>
      )}
    </section>
  );
}

interface ListProps {
  readonly fleet: Fleet;
  readonly ids: readonly string[];
}

function Cards({ fleet, ids }: ListProps) {
  return (
    <Windowed
      ids={ids}
      class="cards"
      role="list"
      label="Machines"
      columnsIn={cardColumns}
      rowHeight={CARD_HEIGHT + CARD_GAP}
    >
      {(id, index, tabIndex) => {
        const machine = fleet.get(id);
        return (
          machine && (
            <Card key={id} machine={machine} index={index} total={ids.length} tabIndex={tabIndex} />
          )
        );
      }}
    </Windowed>
  );
}

interface TableProps extends ListProps {
  readonly query: FleetQuery;
  readonly onChange: (change: Partial<FleetQuery>) => void;
}

function Table({ fleet, ids, query, onChange }: TableProps) {
  return (
    <Windowed
      ids={ids}
      class="table panel"
      role="table"
      label="Machines"
      rowHeight={ROW_HEIGHT}
      header={<TableHead query={query} onChange={onChange} />}
    >
      {(id, index, tabIndex) => {
        const machine = fleet.get(id);
        return machine && <Row key={id} machine={machine} index={index} tabIndex={tabIndex} />;
      }}
    </Windowed>
  );
}

function cardColumns(width: number): number {
  return columnsFor(width, CARD_MIN_WIDTH, CARD_GAP);
}
