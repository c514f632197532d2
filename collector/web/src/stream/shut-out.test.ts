import { expect, it } from "vitest";
import type { Connection } from "./protocol";
import { ShutOutCheck } from "./shut-out";

const LIVE: Connection = { state: "live" };
const LOST: Connection = { state: "lost", since: 0, retryAt: 0, reason: "", isMissing: false };
const REFUSED: Connection = { ...LOST, reason: "The collector answered with status 503." };

/** What was done after the worker said all this, while the page was answered or not. */
async function done(answered: boolean, ...said: readonly Connection[]): Promise<string[]> {
  const steps: string[] = [];
  const check = new ShutOutCheck({
    reach: () => {
      steps.push("ask");
      return Promise.resolve(answered);
    },
    retry: () => steps.push("retry"),
    leave: () => steps.push("leave"),
  });
  for (const connection of said) {
    check.heard(connection);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return steps;
}

it("leaves a worker that is lost while the page is answered", async () => {
  expect(await done(true, LIVE, LOST, LOST)).toEqual(["ask", "retry", "leave"]);
});

it("stays with a worker that is live after its last try", async () => {
  expect(await done(true, LOST, LIVE, LOST, LIVE)).toEqual(["ask", "retry", "ask", "retry"]);
});

it("waits while the page is not answered either", async () => {
  expect(await done(false, LOST, LOST, LOST)).toEqual(["ask", "ask", "ask"]);
});

it("stays with a worker that is answered, if only with a refusal", async () => {
  expect(await done(true, REFUSED, LOST, REFUSED, LOST)).toEqual(["ask", "retry", "ask", "retry"]);
});
