/** The tab's line to the hub, wherever that runs. */

import { Hub } from "./hub";
import { HERE_EVERY_MS, type FromTab, type ToTab } from "./protocol";
import { ShutOutCheck } from "./shut-out";
import type { Topic } from "./topics";

let port: MessagePort | null = null;
let topics: readonly Topic[] = [];

/** Opens the line; where it is open already, the hub is to try at once. */
export function openPort(receive: (message: ToTab) => void): void {
  if (port) {
    retry();
    return;
  }
  const shared = sharedPort(receive);
  if (shared) use(shared, whileNotShutOut(shared, receive));
  else use(ownPort(), receive);
  document.addEventListener("visibilitychange", sayHere);
  addEventListener("pagehide", () => {
    tell({ kind: "bye" });
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) sayHere();
  });
  addEventListener("online", retry);
  setInterval(sayHere, HERE_EVERY_MS);
}

/** Says what this tab watches. */
export function want(wanted: readonly Topic[]): void {
  topics = wanted;
  sayHere();
}

/** Has the hub try at once what it waits to try again. */
export function retry(): void {
  sayHere();
  tell({ kind: "retry" });
}

function use(hub: MessagePort, receive: (message: ToTab) => void): void {
  port = hub;
  hub.onmessage = (event: MessageEvent<ToTab>) => {
    receive(event.data);
  };
  hub.start();
  sayHere();
}

function sayHere(): void {
  tell({ kind: "here", looks: document.visibilityState === "visible", topics });
}

function tell(message: FromTab): void {
  port?.postMessage(message);
}

function sharedPort(receive: (message: ToTab) => void): MessagePort | null {
  if (!("SharedWorker" in globalThis)) return null;
  try {
    const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), {
      type: "module",
      name: "forge-fleet",
    });
    worker.onerror = () => {
      use(ownPort(), receive);
    };
    return worker.port;
  } catch {
    return null; // a browser set to forbid it
  }
}

/** Passes on what the worker says, and does without it once it cannot reach what the page can. */
function whileNotShutOut(
  shared: MessagePort,
  receive: (message: ToTab) => void,
): (message: ToTab) => void {
  const check = new ShutOutCheck({
    reach,
    retry,
    leave: () => {
      tell({ kind: "bye" });
      shared.close();
      use(ownPort(), receive);
    },
  });
  return (message) => {
    receive(message);
    const isSeen = document.visibilityState === "visible";
    if (message.kind === "connection" && isSeen) check.heard(message.connection);
  };
}

const PATIENCE_MS = 10_000;

async function reach(): Promise<boolean> {
  try {
    await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    return true;
  } catch {
    return false;
  }
}

function ownPort(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  new Hub().add(port2);
  return port1;
}
