/** The top of a machine's page: which one it is, how it is, and the way to its neighbours. */

import { metric } from "../../fleet/metric";
import { conditionOf, type Machine } from "../../fleet/state";
import { CONDITION_NAMES } from "../../format/presence";
import { longSpan } from "../../format/time";
import { goToFleet } from "../../location";
import { FLEET } from "../../route";
import { isAdmin } from "../../session";
import { Icon, StatusGlyph } from "../../ui/icons";
import { Untrusted } from "../../ui/untrusted";
import { ClockFlag, machineInWords, Presence, Tags, TokenFlag } from "../fleet/card";
import type { Neighbours } from "./neighbours";

interface NodeHeadProps {
  readonly machine: Machine;
  readonly neighbours: Neighbours;
  readonly addressOf: (id: string) => string;
  readonly onEdit: () => void;
  readonly onForget: () => void;
}

export function NodeHead({ machine, neighbours, addressOf, onEdit, onForget }: NodeHeadProps) {
  const condition = conditionOf(machine);
  return (
    <header class="node-head">
      <nav class="node-steps" aria-label="Machines">
        <a
          class="button-icon"
          href={FLEET}
          aria-label="Back to the fleet"
          title="Back to the fleet (Esc)"
          onClick={(event) => {
            event.preventDefault();
            goToFleet();
          }}
        >
          <Icon name="up" />
        </a>
        <Step to={neighbours.before} addressOf={addressOf} icon="back" what="Machine before (←)" />
        <Step to={neighbours.after} addressOf={addressOf} icon="next" what="Machine after (→)" />
      </nav>
      <div class="node-name">
        <h1>
          <Untrusted text={machine.name} />
        </h1>
        <p class={`node-status status-${condition}`}>
          <StatusGlyph condition={condition} /> <strong>{CONDITION_NAMES[condition]}</strong>
          <span class="node-presence">
            <Presence machine={machine} />
          </span>
        </p>
        <ClockFlag offsetMs={machine.facts.clock_offset_ms} />
        <TokenFlag origin={machine.facts.shares_token_of} />
        <Tags tags={machine.facts.tags} />
      </div>
      <p class="node-words">
        <Untrusted text={inWords(machine)} title={machine.facts.os} />
      </p>
      {isAdmin.value && (
        <div class="node-actions">
          <button type="button" class="button" onClick={onEdit}>
            <Icon name="edit" /> Edit
          </button>
          <button type="button" class="button button-danger" onClick={onForget}>
            Forget
          </button>
        </div>
      )}
    </header>
  );
}

function inWords(machine: Machine): string {
  const uptime = metric(machine.values, "uptime.s");
  const up = uptime === undefined ? "" : `up ${longSpan(uptime * 1000)}`;
  return [machineInWords(machine), machine.status !== "offline" && up].filter(Boolean).join(" · ");
}

interface StepProps {
  readonly to: string | null;
  readonly addressOf: (id: string) => string;
  readonly icon: "back" | "next";
  readonly what: string;
}

function Step({ to, addressOf, icon, what }: StepProps) {
  return to === null ? (
    <span class="button-icon is-off" aria-hidden="true">
      <Icon name={icon} />
    </span>
  ) : (
    <a class="button-icon" href={addressOf(to)} aria-label={what} title={what}>
      <Icon name={icon} />
    </a>
  );
}
