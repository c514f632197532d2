/** What befell the machine in this range, in words: what the charts shade and mark. */

import type { Marks } from "../../charts/marks";
import { now } from "../../clock";
import { moment, span } from "../../format/time";
import type { Extent } from "../../history/range";
import { Icon } from "../../ui/icons";

const MOST_SHOWN = 6;

interface Happening {
  readonly kind: "silence" | "reboot";
  readonly at: number;
  readonly words: string;
}

export function Happenings({ marks, extent }: { readonly marks: Marks; readonly extent: Extent }) {
  const all = happeningsOf(marks, extent, now.peek());
  if (all.length === 0) return null;
  const hidden = all.length - MOST_SHOWN;
  return (
    <ul class="happenings" aria-label="In this range">
      {all.slice(0, MOST_SHOWN).map(({ kind, at, words }) => (
        <li key={`${kind}${at}`} class={`happening happening-${kind}`} data-happening={kind}>
          <Icon name={kind === "reboot" ? "restart" : "silence"} />
          {words}
        </li>
      ))}
      {hidden > 0 && <li class="happening">and {hidden} more before</li>}
    </ul>
  );
}

/** The latest first. */
function happeningsOf({ silences, reboots }: Marks, extent: Extent, today: number): Happening[] {
  const all = [
    ...silences.map(
      ({ from, to }): Happening => ({
        kind: "silence",
        at: from,
        words:
          to >= extent.to
            ? `No data since ${moment(from, today)} (${span(to - from)})`
            : `No data ${moment(from, today)} – ${moment(to, today)} (${span(to - from)})`,
      }),
    ),
    ...reboots
      .filter((at) => at >= extent.from && at <= extent.to)
      .map((at): Happening => ({ kind: "reboot", at, words: `Restarted ${moment(at, today)}` })),
  ];
  return all.sort((a, b) => b.at - a.at);
}
