/** Invites: who may still join, who did, and taking them back. */

import { useState } from "preact/hooks";
import { invites, revokeInvite } from "../../api";
import { now } from "../../clock";
import { exactMoment, moment } from "../../format/time";
import { nodeAddress } from "../../route";
import { Failure } from "../../ui/action";
import { useLoaded } from "../../ui/load";
import { AddMachine } from "../add-machine/add-machine";
import type { Invite, InviteStatus } from "../../wire/messages";
import { Revoke } from "./revoke";
import { RightsTable } from "./rights-table";

const STATUS_WORDS: Readonly<Record<InviteStatus, string>> = {
  open: "open",
  used_up: "used up",
  expired: "expired",
  revoked: "revoked",
};

const JOINED_SHOWN = 3;

export function Invites() {
  const [loaded, reload] = useLoaded(invites);
  const [adding, setAdding] = useState(false);
  return (
    <section class="panel block">
      <header class="block-head">
        <h2>Invites</h2>
        <button
          type="button"
          class="button"
          onClick={() => {
            setAdding(true);
          }}
        >
          Add a machine
        </button>
      </header>
      <p class="hint">
        With an invite a machine joins by itself. One that ended stays in this list for a week.
      </p>
      {loaded.state === "loading" && <p class="loading">Loading…</p>}
      {loaded.state === "failed" && <Failure reason={loaded.reason} />}
      {loaded.state === "ready" && <InviteTable found={loaded.value} onChange={reload} />}
      {adding && (
        <AddMachine
          onClose={() => {
            setAdding(false);
            reload();
          }}
        />
      )}
    </section>
  );
}

interface InviteTableProps {
  readonly found: readonly Invite[];
  readonly onChange: () => void;
}

function InviteTable({ found, onChange }: InviteTableProps) {
  if (found.length === 0) return <p class="hint">There is no invite.</p>;
  return (
    <RightsTable found={found} columns={["For", "Status", "Used", "Good until", "Joined"]}>
      {(invite) => <InviteRow key={invite.id} invite={invite} onChange={onChange} />}
    </RightsTable>
  );
}

function InviteRow({
  invite,
  onChange,
}: {
  readonly invite: Invite;
  readonly onChange: () => void;
}) {
  const whom = invite.node_id ?? (invite.uses === 1 ? "one machine" : `${invite.uses} machines`);
  return (
    <tr>
      <td>{whom}</td>
      <td>{STATUS_WORDS[statusNow(invite)]}</td>
      <td data-said="used">
        {invite.used} of {invite.uses}
      </td>
      <td data-said="until" title={exactMoment(invite.expires_at)}>
        {moment(invite.expires_at, now.value)}
      </td>
      <td data-said="joined:" title={invite.joined.join(", ")}>
        {invite.joined.slice(0, JOINED_SHOWN).map((id, place) => (
          <span key={id}>
            {place > 0 && ", "}
            <a href={nodeAddress(id)}>{id}</a>
          </span>
        ))}
        {invite.used > JOINED_SHOWN && ` and ${invite.used - JOINED_SHOWN} more`}
      </td>
      <td class="list-action">
        {statusNow(invite) === "open" && (
          <Revoke
            word="Revoke"
            what={`the invite for ${whom}`}
            revoke={() => revokeInvite(invite.id)}
            onDone={onChange}
          />
        )}
      </td>
    </tr>
  );
}

/** It expires while one looks at it. */
function statusNow(invite: Invite): InviteStatus {
  return invite.status === "open" && invite.expires_at <= now.value ? "expired" : invite.status;
}
