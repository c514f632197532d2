/** The moment under the pointer, in all charts at once, and the core, where one is pointed at. */

import { signal } from "@preact/signals";

/** Unix ms by the collector's clock; null: the pointer is in no chart. */
export const cursor = signal<number | null>(null);
export const pointedCore = signal<number | null>(null);
