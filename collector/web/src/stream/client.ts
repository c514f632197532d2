/** The tab's end of the streams: the fleet and the state of the connection, as signals. */

import { batch, computed, signal } from "@preact/signals";
import { setCollectorTime } from "../clock";
import { applyFrame, EMPTY_FLEET, type Fleet } from "../fleet/state";
import type { FleetFrame } from "../wire/messages";
import { openPort, retry } from "./port";
import type { Connection, ToTab } from "./protocol";
import { jobsState, receiveOfTopic } from "./watch";

/** null until the first frame is there. */
export const fleet = signal<Fleet | null>(null);
export const connection = signal<Connection>({ state: "connecting" });

/** Whether what is shown is of now. Who may not see the fleet sees how the stream of jobs is. */
export const lineState = computed((): Exclude<Connection["state"], "forbidden"> => {
  const { state } = connection.value;
  if (state !== "forbidden") return state;
  const jobs = jobsState.value;
  if (jobs === null) return "connecting";
  // Who is told that there is no such job is connected.
  return jobs === "open" || jobs === "missing" ? "live" : "lost";
});

let waiting: FleetFrame[] = [];
let painting = 0;

export function openStream(): void {
  openPort(receive);
}

export { retry as retryStream };

function receive(message: ToTab): void {
  switch (message.kind) {
    case "connection":
      connection.value = message.connection;
      if (message.connection.state === "signed-out" || message.connection.state === "forbidden") {
        waiting = [];
        fleet.value = null;
      }
      break;
    case "frame":
      if (message.frame.full) waiting = [];
      waiting.push(message.frame);
      // However often frames come, the page changes once a picture.
      painting ||= requestAnimationFrame(paint);
      break;
    case "topic":
    case "news":
      receiveOfTopic(message);
  }
}

function paint(): void {
  painting = 0;
  const frames = waiting;
  waiting = [];
  batch(() => {
    let next = fleet.value ?? EMPTY_FLEET;
    for (const frame of frames) next = applyFrame(next, frame);
    if (frames.length > 0) fleet.value = next;
    const last = frames.at(-1);
    if (last) setCollectorTime(last.now);
  });
}
