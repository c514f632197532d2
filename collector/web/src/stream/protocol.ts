/** What the tabs and the shared worker say to each other. */

import type { FleetFrame } from "../wire/messages";
import type { News, Topic } from "./topics";

export type Connection =
  | { readonly state: "connecting" }
  | { readonly state: "live" }
  | {
      readonly state: "lost";
      /** When something last came, by this browser's clock. */
      readonly since: number;
      readonly retryAt: number;
      readonly reason: string;
      /** The collector answered, and has no such thing for whoever is signed in. */
      readonly isMissing: boolean;
    }
  | { readonly state: "signed-out" }
  /** It is not for whoever is signed in. */
  | { readonly state: "forbidden" };

export type ToTab =
  /** How the fleet's stream is, and what it brings. */
  | { readonly kind: "connection"; readonly connection: Connection }
  | { readonly kind: "frame"; readonly frame: FleetFrame }
  /** The same of another. */
  | { readonly kind: "topic"; readonly topic: Topic; readonly state: WatchState }
  | { readonly kind: "news"; readonly topic: Topic; readonly news: News };

/**
 * How watching something goes. "missing": the collector is there, and what is watched is not;
 * "refused": others have all the streams there are.
 */
export type WatchState = "open" | "lost" | "missing" | "refused";

export type FromTab =
  /**
   * I am here: whether somebody looks at me, and what they watch. It says all there is
   * to say, and is said again and again: a hub that forgot a tab knows it by the next one.
   */
  | { readonly kind: "here"; readonly looks: boolean; readonly topics: readonly Topic[] }
  | { readonly kind: "bye" }
  /** Try to connect now: after signing in, or because somebody asked. */
  | { readonly kind: "retry" };

/** A tab says "here" this often, though browsers slow hidden tabs down to once a minute. */
export const HERE_EVERY_MS = 30_000;
export const TAB_GONE_AFTER_MS = 200_000;

/** Of the six connections that a browser allows, one is the fleet's, and two are for the rest. */
export const MOST_TOPICS = 3;
