/** Who this browser is to the collector. */

import { computed, effect, signal } from "@preact/signals";
import * as api from "./api";
import { reasonOf } from "./reason";
import { connection, openStream } from "./stream/client";
import type { Login, Whoami } from "./wire/messages";

export type Session =
  | { readonly state: "unknown" }
  | { readonly state: "in"; readonly who: Whoami }
  | { readonly state: "out" }
  | { readonly state: "unreachable"; readonly reason: string };

export const session = signal<Session>({ state: "unknown" });

export const isAdmin = computed(
  () => session.value.state === "in" && session.value.who.role === "admin",
);

/** A submitter has its own jobs to see, and nothing else. */
export const seesJobsAlone = computed(
  () => session.value.state === "in" && session.value.who.role === "submitter",
);

/** Who may submit jobs, end them and try them again; a submitter sees none but its own. */
export const mayChangeJobs = computed(() => isAdmin.value || seesJobsAlone.value);

/** The machine that the collector runs on, where it has an agent. */
export const localNodeId = computed(() =>
  session.value.state === "in" ? session.value.who.local_node_id : null,
);

export async function resume(): Promise<void> {
  openStream(); // does not wait for the answer: nearly always it is yes
  try {
    session.value = { state: "in", who: await api.whoami() };
  } catch (error) {
    if (error instanceof api.ApiError && error.status === 401) session.value = { state: "out" };
    else session.value = { state: "unreachable", reason: reasonOf(error) };
  }
}

export async function signIn(credentials: Login): Promise<void> {
  await api.login(credentials);
  await resume();
}

export async function signOut(): Promise<void> {
  await api.logout();
  session.value = { state: "out" };
}

api.whenSignedOut(() => {
  session.value = { state: "out" };
});

// The stream notices too: a session revoked elsewhere, or signed in again in another tab.
effect(() => {
  const { state } = connection.value;
  if (state === "signed-out" && session.peek().state === "in") session.value = { state: "out" };
  const isIn = state === "live" || state === "forbidden";
  if (isIn && session.peek().state === "out") void resume();
});
