/** What the tabs and the shared worker say to each other. */

import type { FleetFrame } from "../wire/messages";

export type Connection =
  | { readonly state: "connecting" }
  | { readonly state: "live" }
  | {
      readonly state: "lost";
      /** When something last came, by this browser's clock. */
      readonly since: number;
      readonly retryAt: number;
      readonly reason: string;
    }
  | { readonly state: "signed-out" };

export type ToTab =
  | { readonly kind: "connection"; readonly connection: Connection }
  | { readonly kind: "frame"; readonly frame: FleetFrame };

export type FromTab =
  /** Somebody looks at this tab: send frames, beginning with everything. */
  | "watch"
  /** Nobody looks: frames can wait. */
  | "rest"
  | "here"
  | "bye"
  /** Try to connect now: after signing in, or because somebody asked. */
  | "retry";

/** A tab says "here" this often, though browsers slow hidden tabs down to once a minute. */
export const HERE_EVERY_MS = 30_000;
export const TAB_GONE_AFTER_MS = 200_000;
