/** Says what it means that other machines use this machine's token, and what to do about it. */

import { sharersOf, type Fleet, type Machine } from "../../fleet/state";
import { plural } from "../../format/units";
import { nodeAddress } from "../../route";
import { Untrusted } from "../../ui/untrusted";

const MOST_NAMED = 5;

export function SharedToken({
  machine,
  fleet,
}: {
  readonly machine: Machine;
  readonly fleet: Fleet;
}) {
  const origin = machine.facts.shares_token_of;
  const others = sharersOf(machine, fleet);
  const [first] = others;
  if (origin === null || !first) return null;
  // The one that the token was made for can keep it.
  const moved = machine.id === origin ? first.id : machine.id;
  return (
    <div class="caution shared-token" role="note">
      <p>
        <strong>{plural(others.length + 1, "machine")} push with one token</strong>, that of{" "}
        <Untrusted text={origin} />, as happens when a disk is cloned. Each has a card of its own:
        this one, and{" "}
        {others.slice(0, MOST_NAMED).map((other, index) => (
          <span key={other.id}>
            {index > 0 && ", "}
            <a href={nodeAddress(other.id)}>
              <Untrusted text={other.name} />
            </a>
          </span>
        ))}
        {others.length > MOST_NAMED && ` and ${others.length - MOST_NAMED} more`}. After a restart
        it is a guess which card is whose.
      </p>
      <p>
        Give the machine behind <Untrusted text={moved} /> a token of its own: make an invite for it
        (“Set up again” {moved === machine.id ? "below" : "on its page"}, or <code>forgectl invite --node {moved}</code>), and put{" "}
        <code class="unbroken">--replace</code> behind <code>join</code> in the line that you paste there; its history
        goes on. Or add it as a new machine, with <code class="unbroken">--replace</code> too, and forget its card.
      </p>
    </div>
  );
}
