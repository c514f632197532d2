/** A list that may be thousands long: its first ones, and a button for the rest. */

import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";
import { count } from "../../format/units";

/** What is below such a list on the page must stay within reach. */
const FIRST = 50;

export function useFirstOnes<T>(found: readonly T[]): [readonly T[], ComponentChild] {
  const [all, setAll] = useState(false);
  if (all || found.length <= FIRST) return [found, null];
  const more = (
    <button
      type="button"
      class="button list-more"
      onClick={() => {
        setAll(true);
      }}
    >
      Show all {count(found.length)}
    </button>
  );
  return [found.slice(0, FIRST), more];
}
