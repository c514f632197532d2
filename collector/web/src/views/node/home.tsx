/** `/`: the collector's own machine, closely; or the fleet, where it has none. */

import { useEffect } from "preact/hooks";
import { FIVE_MINUTES } from "../../history/range";
import { replace } from "../../location";
import { FLEET, parseRoute } from "../../route";
import { localNodeId } from "../../session";
import { fleet } from "../../stream/client";
import { NodeView } from "./node";

export function HomeView({ params }: { readonly params: URLSearchParams }) {
  const id = localNodeId.value;
  const known = fleet.value;
  const isThere = id !== null && (known === null || known.has(id));
  useEffect(() => {
    if (!isThere) replace(parseRoute(FLEET));
  }, [isThere]);
  return isThere ? <NodeView key={id} id={id} params={params} usual={FIVE_MINUTES} isHome /> : null;
}
