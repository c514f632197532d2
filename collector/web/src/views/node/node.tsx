/** One machine: its name and state, and its dashboard. */

import { useCallback, useMemo, useState } from "preact/hooks";
import { conditionOf, type Fleet, type Machine } from "../../fleet/state";
import {
  formatRange,
  ONE_HOUR,
  parseRange,
  type Range,
  type SetRange,
} from "../../history/range";
import { useKeys } from "../../keys";
import { fleetParams, go } from "../../location";
import { FLEET, formatRoute, parseRoute } from "../../route";
import { isAdmin } from "../../session";
import { fleet } from "../../stream/client";
import { useTitle } from "../../ui/title";
import { EditMachine } from "./edit";
import { ForgetMachine } from "./forget";
import { NodeHead } from "./head";
import { LateDashboard } from "./late-dashboard";
import { LateNodeJobs } from "./late-jobs";
import { neighboursOf } from "./neighbours";
import { SharedToken } from "./shared-token";
import { ChartSkeletons } from "./states";
import { MachineTokens } from "./tokens";
import { usePast } from "./use-past";

interface NodeViewProps {
  readonly id: string;
  readonly params: URLSearchParams;
  /** The range that the address need not name. */
  readonly usual?: Range;
  readonly isHome?: boolean;
}

export function NodeView({ id, params, usual = ONE_HOUR, isHome = false }: NodeViewProps) {
  const known = fleet.value;
  const machine = known?.get(id);
  if (!known) return <ChartSkeletons />;
  if (!machine) return <UnknownMachine id={id} />;
  return (
    <KnownMachine fleet={known} machine={machine} params={params} usual={usual} isHome={isHome} />
  );
}

function UnknownMachine({ id }: { readonly id: string }) {
  return (
    <section class="empty">
      <h1>
        There is no machine <bdi>{id.slice(0, 64)}</bdi>
      </h1>
      <p>It has not reported yet, or it was forgotten. It appears here as soon as it reports.</p>
      <a class="button" href={FLEET}>
        Go to the fleet
      </a>
    </section>
  );
}

interface KnownMachineProps {
  readonly fleet: Fleet;
  readonly machine: Machine;
  readonly params: URLSearchParams;
  readonly usual: Range;
  readonly isHome: boolean;
}

function KnownMachine({ fleet, machine, params, usual, isHome }: KnownMachineProps) {
  const { id, name } = machine;
  const [dialog, setDialog] = useState<"edit" | "forget" | null>(null);
  const query = params.toString();
  const range = useMemo(() => parseRange(new URLSearchParams(query), usual), [query, usual]);
  const past = usePast(id, range);
  const neighbours = neighboursOf(id, fleet, fleetParams());
  const setRange = useCallback<SetRange>(
    (to) => {
      const next = typeof to === "function" ? to(parseRange(addressed().params, usual)) : to;
      go(addressOf(id, next, usual, isHome));
    },
    [id, usual, isHome],
  );
  useNeighbourKeys((step) => {
    const from = addressed().id ?? id;
    const to = neighboursOf(from, fleet, fleetParams())[step];
    if (to !== null) go(addressOf(to, range, ONE_HOUR, false));
  });
  useTitle(name);
  const close = () => {
    setDialog(null);
  };
  return (
    <article
      class={`node is-${conditionOf(machine)}`}
      data-node-id={id}
      data-status={machine.status}
      aria-busy={past.isFetching}
    >
      <NodeHead
        machine={machine}
        neighbours={neighbours}
        addressOf={(to) => formatRoute(addressOf(to, range, ONE_HOUR, false))}
        onEdit={() => {
          setDialog("edit");
        }}
        onForget={() => {
          setDialog("forget");
        }}
      />
      <SharedToken machine={machine} fleet={fleet} />
      {machine.jobs > 0 && <LateNodeJobs machine={machine} />}
      <LateDashboard
        machine={machine}
        past={past}
        range={range}
        usual={usual}
        onRange={setRange}
      />
      {isAdmin.value && (
        <MachineTokens nodeId={id} sharesTokenOf={machine.facts.shares_token_of} />
      )}
      {dialog === "edit" && <EditMachine machine={machine} onClose={close} />}
      {dialog === "forget" && <ForgetMachine machine={machine} onClose={close} />}
    </article>
  );
}

function addressOf(id: string, range: Range, usual: Range, isHome: boolean) {
  const params = formatRange(range, usual);
  return isHome ? { page: "home" as const, params } : { page: "node" as const, id, params };
}

/** What the address says this moment: a key may follow another before the page was drawn anew. */
function addressed(): { readonly id: string | null; readonly params: URLSearchParams } {
  const at = parseRoute(location.hash);
  return {
    id: at.page === "node" ? at.id : null,
    params: at.page === "node" || at.page === "home" ? at.params : new URLSearchParams(),
  };
}

function useNeighbourKeys(open: (step: "before" | "after") => void): void {
  useKeys((key, event) => {
    if (event.shiftKey || (key !== "ArrowLeft" && key !== "ArrowRight")) return false;
    open(key === "ArrowLeft" ? "before" : "after");
    return true;
  });
}
