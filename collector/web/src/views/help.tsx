/** The keys, and what the status signs mean. */

import { KEYS } from "../keys";
import { session } from "../session";
import { CONDITIONS, type Condition } from "../fleet/state";
import { CONDITION_NAMES } from "../format/presence";
import { Dialog } from "../ui/dialog";
import { StatusGlyph } from "../ui/icons";

const MEANINGS: Readonly<Record<Condition, string>> = {
  online: "reports as often as it should",
  degraded: "has been silent for 15 seconds or more",
  offline: "has been silent for more than a minute",
  off: "is silent, and marked as a machine that is normally off",
};

export function Help({ onClose }: { readonly onClose: () => void }) {
  const who = session.value;
  return (
    <Dialog title="Keys and signs" onClose={onClose}>
      <dl class="keys">
        {KEYS.map(([keys, what]) => (
          <div key={what}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <dl class="signs">
        {CONDITIONS.map((condition) => (
          <div key={condition}>
            <dt>
              <StatusGlyph condition={condition} /> {CONDITION_NAMES[condition]}
            </dt>
            <dd>{MEANINGS[condition]}</dd>
          </div>
        ))}
      </dl>
      {who.state === "in" && (
        <p class="hint">
          Signed in as {who.who.role} · collector {who.who.version}
        </p>
      )}
    </Dialog>
  );
}
