/** The whole page: who may see it, what surrounds every view, and which view it is. */

import { effect } from "@preact/signals";
import { useCallback, useEffect, useState } from "preact/hooks";
import { stopClock } from "./clock";
import { useKeys } from "./keys";
import { goToFleet, goToJobs, replace, route } from "./location";
import { JOBS, parseRoute, type Route } from "./route";
import { isAdmin, resume, seesJobsAlone, session } from "./session";
import { connection, lineState } from "./stream/client";
import { toggleTheme } from "./theme";
import { AccessView } from "./views/access/access";
import { AddMachine } from "./views/add-machine/add-machine";
import { FleetView } from "./views/fleet/fleet";
import { Help } from "./views/help";
import { LateJob, LateJobs, prepareJobs } from "./views/jobs/late-jobs";
import { HomeView } from "./views/node/home";
import { prepareDashboard } from "./views/node/late-dashboard";
import { NodeView } from "./views/node/node";
import { ConnectionBanner, Header } from "./views/shell";
import { LoginLink, SignIn, Unreachable } from "./views/sign-in";

effect(() => {
  stopClock(connection.value.state === "lost");
});

const IDLE_AFTER_MS = 1500;

type Overlay = "help" | "add" | null;

export function App() {
  const where = route.value;
  const isLogin = where.page === "login";
  useEffect(() => {
    if (!isLogin) void resume();
  }, [isLogin]);

  if (where.page === "login") return <LoginLink code={where.code} />;
  const who = session.value;
  switch (who.state) {
    case "unknown":
      return null;
    case "out":
      return <SignIn />;
    case "unreachable":
      return <Unreachable reason={who.reason} />;
    case "in":
      return <Inside where={where} />;
  }
}

function Inside({ where }: { readonly where: Route }) {
  const [overlay, setOverlay] = useState<Overlay>(null);
  const onKey = useCallback(
    (key: string) => {
      if (key === "?") setOverlay("help");
      else if (key === "t") toggleTheme();
      else if (key === "Escape" && where.page === "job") goToJobs();
      else if (key === "Escape" && where.page !== "fleet") goToFleet();
      else return false;
      return true;
    },
    [where.page],
  );
  useKeys(onKey);
  useEffect(() => {
    // Once there is nothing else to do: what is opened then is drawn at once.
    const timer = setTimeout(() => {
      prepareJobs();
      if (!seesJobsAlone.peek()) prepareDashboard();
    }, IDLE_AFTER_MS);
    return () => {
      clearTimeout(timer);
    };
  }, []);
  useEffect(() => {
    scrollTo(0, 0);
  }, [where.page]);
  const close = () => {
    setOverlay(null);
  };
  const add = () => {
    setOverlay("add");
  };
  const state = lineState.value;
  return (
    <div class={`app is-${state}`} data-connection={state}>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <Header
        where={where}
        onAdd={add}
        onHelp={() => {
          setOverlay("help");
        }}
      />
      <ConnectionBanner />
      <main id="main" tabIndex={-1}>
        <View where={where} onAdd={add} />
      </main>
      {overlay === "help" && <Help onClose={close} />}
      {overlay === "add" && isAdmin.value && <AddMachine onClose={close} />}
    </div>
  );
}

function View({ where, onAdd }: { readonly where: Route; readonly onAdd: () => void }) {
  if (seesJobsAlone.value && where.page !== "jobs" && where.page !== "job") {
    return <OnlyJobs where={where} />;
  }
  switch (where.page) {
    case "home":
      return <HomeView params={where.params} />;
    case "node":
      return <NodeView key={where.id} id={where.id} params={where.params} />;
    case "jobs":
      return <LateJobs params={where.params} />;
    case "job":
      return <LateJob key={where.id} id={where.id} />;
    case "access":
      return isAdmin.value ? <AccessView /> : <Nowhere what="Only an admin can manage access." />;
    case "fleet":
      return <FleetView params={where.params} onAdd={onAdd} />;
    case "login":
    case "unknown":
      return <Nowhere what="There is nothing at this address." />;
  }
}

/** For a submitter: the fleet, where one is led by default, makes way for the jobs. */
function OnlyJobs({ where }: { readonly where: Route }) {
  const isDefault = where.page === "home" || where.page === "fleet";
  useEffect(() => {
    if (isDefault) replace(parseRoute(JOBS));
  }, [isDefault]);
  if (isDefault) return null;
  return (
    <section class="empty">
      <h1>This sign-in sees its own jobs alone</h1>
      <p>Machines and access are for viewers and admins. Sign in with a link of theirs to see more.</p>
      <a class="button" href={JOBS}>
        Go to the jobs
      </a>
    </section>
  );
}

function Nowhere({ what }: { readonly what: string }) {
  return (
    <section class="empty">
      <h1>{what}</h1>
      <a class="button" href="#/fleet">
        Go to the fleet
      </a>
    </section>
  );
}

/** The hash is the route: a link to #main would leave the view. */
function skip(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
