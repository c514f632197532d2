/** The tab's end of the stream: the fleet and the state of the connection, as signals. */

import { batch, signal } from "@preact/signals";
import { setCollectorTime } from "../clock";
import { applyFrame, EMPTY_FLEET, type Fleet } from "../fleet/state";
import type { FleetFrame } from "../wire/messages";
import { FleetHub } from "./hub";
import { HERE_EVERY_MS, type Connection, type FromTab, type ToTab } from "./protocol";

/** null until the first frame is there. */
export const fleet = signal<Fleet | null>(null);
export const connection = signal<Connection>({ state: "connecting" });

let port: MessagePort | null = null;
let waiting: FleetFrame[] = [];
let painting = 0;

export function openStream(): void {
  if (port) {
    tell("retry");
    return;
  }
  use(sharedPort() ?? ownPort());
  document.addEventListener("visibilitychange", sayWhetherWatched);
  addEventListener("pagehide", () => {
    tell("bye");
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) sayWhetherWatched();
  });
  addEventListener("online", retryStream);
  setInterval(() => {
    tell("here");
  }, HERE_EVERY_MS);
}

function use(hub: MessagePort): void {
  port = hub;
  hub.onmessage = (event: MessageEvent<ToTab>) => {
    receive(event.data);
  };
  hub.start();
  sayWhetherWatched();
}

export function retryStream(): void {
  tell("retry");
}

function tell(message: FromTab): void {
  port?.postMessage(message);
}

function sayWhetherWatched(): void {
  tell(document.visibilityState === "visible" ? "watch" : "rest");
}

function sharedPort(): MessagePort | null {
  if (!("SharedWorker" in globalThis)) return null;
  try {
    const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), {
      type: "module",
      name: "forge-fleet",
    });
    worker.onerror = () => {
      use(ownPort());
    };
    return worker.port;
  } catch {
    return null; // a browser set to forbid it
  }
}

function ownPort(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  new FleetHub().add(port2);
  return port1;
}

function receive(message: ToTab): void {
  if (message.kind === "connection") {
    connection.value = message.connection;
    if (message.connection.state === "signed-out") {
      waiting = [];
      fleet.value = null;
    }
    return;
  }
  if (message.frame.full) waiting = [];
  waiting.push(message.frame);
  // However often frames come, the page changes once a picture.
  painting ||= requestAnimationFrame(paint);
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
