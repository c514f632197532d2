/** What surrounds every view: the header, and a banner while the connection is lost. */

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { clockTime, span } from "../format/time";
import { ACCESS, FLEET, HOME, JOBS, type Route } from "../route";
import { isAdmin, localNodeId, seesJobsAlone, signOut } from "../session";
import { connection, lineState, retryStream } from "../stream/client";
import { theme, toggleTheme } from "../theme";
import { useAction } from "../ui/action";
import { Icon } from "../ui/icons";

interface HeaderProps {
  readonly where: Route;
  readonly onAdd: () => void;
  readonly onHelp: () => void;
}

export function Header({ where, onAdd, onHelp }: HeaderProps) {
  const leaving = useAction();
  const dark = theme.value === "dark";
  return (
    <header class="header" data-sticky>
      <a class="brand" href={seesJobsAlone.value ? JOBS : FLEET}>
        <img src="./favicon.svg" width="22" height="22" alt="" />
        <span>Forge Fleet</span>
      </a>
      <nav aria-label="Pages">
        {!seesJobsAlone.value && (
          <NavLink href={FLEET} current={where.page === "fleet" || where.page === "node"}>
            Fleet
          </NavLink>
        )}
        {localNodeId.value !== null && !seesJobsAlone.value && (
          <NavLink href={HOME} current={where.page === "home"}>
            <span>
              <span class="nav-more">This </span>machine
            </span>
          </NavLink>
        )}
        <NavLink href={JOBS} current={where.page === "jobs" || where.page === "job"}>
          Jobs
        </NavLink>
        {isAdmin.value && (
          <NavLink href={ACCESS} current={where.page === "access"}>
            Access
          </NavLink>
        )}
      </nav>
      <span class="header-space" />
      <Pulse />
      {isAdmin.value && where.page !== "jobs" && where.page !== "job" && (
        <button
          type="button"
          class="button button-primary add"
          title="Add a machine"
          onClick={onAdd}
        >
          <Icon name="plus" />
          <span>Add a machine</span>
        </button>
      )}
      <button
        type="button"
        class="button-icon"
        aria-label={dark ? "Use light colours" : "Use dark colours"}
        title="Light or dark (t)"
        onClick={toggleTheme}
      >
        <Icon name={dark ? "sun" : "moon"} />
      </button>
      <button
        type="button"
        class="button-icon wide-only"
        aria-label="Keys and help"
        title="Keys and help (?)"
        onClick={onHelp}
      >
        <Icon name="help" />
      </button>
      <button
        type="button"
        class="button-icon"
        aria-label="Sign out"
        title={leaving.failure || "Sign out"}
        disabled={leaving.busy}
        onClick={() => {
          leaving.run(signOut);
        }}
      >
        <Icon name="leave" />
      </button>
    </header>
  );
}

interface NavLinkProps {
  readonly href: string;
  readonly current: boolean;
  readonly children: ComponentChildren;
}

function NavLink({ href, current, children }: NavLinkProps) {
  return (
    <a class="nav-link" href={href} aria-current={current ? "page" : undefined}>
      {children}
    </a>
  );
}

const PULSE_WORDS = {
  connecting: "Connecting",
  live: "Live",
  lost: "Not connected",
  "signed-out": "Signed out",
} as const;

/** Whether the figures are live. */
function Pulse() {
  const state = lineState.value;
  return (
    <span class={`pulse pulse-${state}`} role="status" aria-live="polite">
      <span class="pulse-dot" aria-hidden="true" />
      <span class="pulse-words">{PULSE_WORDS[state]}</span>
    </span>
  );
}

export function ConnectionBanner() {
  const now = useSeconds(connection.value.state === "lost");
  const state = connection.value;
  if (state.state !== "lost") return null;
  const wait = state.retryAt - now;
  return (
    <div class="banner" role="alert">
      <p>
        <strong>Connection to the collector lost at {clockTime(state.since)}.</strong> All figures
        are from then. {state.reason}
      </p>
      <p class="banner-retry" aria-live="off">
        <span>{span(now - state.since)} ago</span>
        <span>{wait > 0 ? `trying again in ${Math.ceil(wait / 1000)} s` : "trying again…"}</span>
        <button type="button" class="button" onClick={retryStream}>
          Try now
        </button>
      </p>
    </div>
  );
}

/** This browser's clock, once a second while it is asked for. */
function useSeconds(running: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!running) return;
    setNow(Date.now());
    const timer = setInterval(() => {
      setNow(Date.now());
    }, 1000);
    return () => {
      clearInterval(timer);
    };
  }, [running]);
  return now;
}
