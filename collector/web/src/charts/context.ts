/** What all charts of a machine share: its past, the stretch looked at, and what befell it. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Extent } from "../history/range";
import type { Timeline } from "../history/timeline";
import type { Marks } from "./marks";

export interface Shown {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly timeline: Timeline;
  readonly extent: Extent;
  readonly marks: Marks;
  /** The stretch in words, where it is no time of day. */
  readonly inWords?: (extent: Extent) => string;
  /** Somebody marked a stretch. */
  readonly onZoom: (from: number, to: number) => void;
  readonly onBack: () => void;
}

export const ShownContext = createContext<Shown | null>(null);

export function useShown(): Shown {
  const shown = useContext(ShownContext);
  if (!shown) throw new Error("a chart stands outside of a machine's page");
  return shown;
}
