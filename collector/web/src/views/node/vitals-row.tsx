/** The figures that are read first, large. */

import { Bar } from "../../ui/meter";
import { Untrusted } from "../../ui/untrusted";
import type { Values } from "../../wire/messages";
import { vitalsOf } from "./vitals";

interface VitalsProps {
  readonly values: Values;
  readonly cores: number;
  /** Otherwise they are the last ones. */
  readonly isNow: boolean;
}

export function Vitals({ values, cores, isNow }: VitalsProps) {
  return (
    <dl class="vitals" aria-label={isNow ? "Figures now" : "Last figures"}>
      {vitalsOf(values, cores).map(({ id, label, figure, note, pct }) => (
        <div key={id} class="panel vital" data-vital={id}>
          <dt>
            <Untrusted text={label} />
          </dt>
          <dd>
            <Figure words={figure} />
            {pct !== undefined && <Bar pct={pct} />}
            <small>
              <Untrusted text={note} />
            </small>
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** The number large, its unit small. */
function Figure({ words }: { readonly words: string }) {
  return (
    <strong>
      {words.split(/([\d.,]+)/).map((part, index) =>
        index % 2 === 1 ? <b key={index}>{part}</b> : part,
      )}
    </strong>
  );
}
