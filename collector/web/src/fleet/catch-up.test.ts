import { expect, it } from "vitest";
import type { Card } from "../wire/messages";
import { catchUpOf, secondsLeft, type CatchUp } from "./catch-up";
import { card, figures } from "./samples";

function told(bytes: number | null, at: number): Card {
  return card("a", {
    last_seen: at,
    values: figures(bytes === null ? {} : { "agent.spool_bytes": bytes }),
  });
}

function after(...cards: readonly Card[]): CatchUp | null {
  return cards.reduce<CatchUp | null>((known, each) => catchUpOf(each, known), null);
}

it("tells nothing of a machine that is not catching up", () => {
  expect(after(told(null, 0))).toBeNull();
  expect(after(told(9e6, 0), told(null, 5000))).toBeNull();
});

it("knows no time from a single figure", () => {
  const known = after(told(9e6, 0));
  expect(known?.bytesLeft).toBe(9e6);
  expect(known && secondsLeft(known)).toBeNull();
});

it("estimates the time left from its own trend", () => {
  const steady = after(told(9e6, 0), told(8e6, 5000), told(7e6, 10_000));
  expect(steady && secondsLeft(steady)).toBe(35);
  const slower = after(told(9e6, 0), told(8e6, 5000), told(7.5e6, 10_000));
  expect(slower && secondsLeft(slower)).toBe(50);
});

it("is not misled by words that bring no new figure", () => {
  const known = after(told(9e6, 0), told(8e6, 5000), told(8e6, 5100), told(8e6, 9000));
  expect(known && secondsLeft(known)).toBe(40);
  const next = catchUpOf(told(7e6, 10_000), known);
  expect(next && secondsLeft(next)).toBe(35);
});

it("has begun once there is less, and is not about to begin when it only halts", () => {
  expect(after(told(8e6, 0))?.begun).toBe(false);
  expect(after(told(8e6, 0), told(8e6, 5000), told(8.1e6, 10_000))?.begun).toBe(false);
  expect(after(told(8e6, 0), told(7e6, 5000))?.begun).toBe(true);
  expect(after(told(8e6, 0), told(7e6, 5000), told(9e6, 10_000))?.begun).toBe(true);
});

it("promises no time while it grows", () => {
  const grows = after(told(8e6, 0), told(9e6, 5000));
  expect(grows && secondsLeft(grows)).toBeNull();
});
