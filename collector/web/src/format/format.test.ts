import { describe, expect, it } from "vitest";
import { card, facts, fleetOf, frame } from "../fleet/samples";
import { applyFrame, EMPTY_FLEET, type Fleet, type Machine } from "../fleet/state";
import type { Card } from "../wire/messages";
import { briefOs } from "./os";
import { catchingUp, presence } from "./presence";
import { clockError, longSpan, moment, span } from "./time";
import { brief, bytes, bytesPerSecond, memory, percent, plural } from "./units";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe("figures", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [999.6, "1.00 kB"],
    [1234, "1.23 kB"],
    [12_345, "12.3 kB"],
    [123_456, "123 kB"],
    [999_600, "1.00 MB"],
    [12_300_000_000, "12.3 GB"],
    [-5000, "−5.00 kB"],
  ])("%d bytes are %s", (value, words) => {
    expect(bytes(value)).toBe(words);
  });

  it("counts memory in powers of 1,024 and rates by the second", () => {
    expect(memory(16 * 2 ** 30)).toBe("16.0 GiB");
    expect(memory(1012 * 2 ** 20)).toBe("0.99 GiB");
    expect(bytesPerSecond(1_200_000)).toBe("1.20 MB/s");
  });

  it("leaves out zeros that say nothing where a figure stays", () => {
    expect(brief("16.0 GiB")).toBe("16 GiB");
    expect(brief("1.50 MB/s")).toBe("1.5 MB/s");
    expect(brief("100 B")).toBe("100 B");
  });

  it("says percent with one digit, and all without", () => {
    expect(percent(3.25)).toBe("3.3 %");
    expect(percent(100)).toBe("100 %");
    expect(percent(undefined)).toBe("–");
  });

  it("knows one from many", () => {
    expect(plural(1, "core")).toBe("1 core");
    expect(plural(31_212, "core")).toBe("31,212 cores");
  });
});

describe("times", () => {
  it.each([
    [-5, "0 s"],
    [59_999, "59 s"],
    [90_000, "1 min"],
    [3 * HOUR, "3 h"],
    [47 * HOUR, "47 h"],
    [3 * DAY, "3 d"],
  ])("%d ms is %s", (ms, words) => {
    expect(span(ms)).toBe(words);
  });

  it("says more where there is room", () => {
    expect(longSpan(90_000)).toBe("1 min 30 s");
    expect(longSpan(3 * DAY + 4 * HOUR)).toBe("3 d 4 h");
    expect(longSpan(2 * HOUR)).toBe("2 h");
  });

  it("names the day only when it is another, and the year only then", () => {
    const now = new Date(2026, 10, 21, 15, 0).getTime();
    expect(moment(new Date(2026, 10, 21, 14, 2).getTime(), now)).toBe("14:02");
    expect(moment(new Date(2026, 10, 20, 14, 2).getTime(), now)).toBe("20 Nov 14:02");
    expect(moment(new Date(2025, 0, 3, 14, 2).getTime(), now)).toBe("3 Jan 2025");
  });

  it("says which way a clock is wrong", () => {
    expect(clockError(3 * HOUR)).toBe("clock is 3 h behind");
    expect(clockError(-7000)).toBe("clock is 7 s ahead");
  });
});

describe("presence", () => {
  const now = new Date(2026, 10, 21, 17, 2).getTime();
  const machine = (changes: Partial<Card>): Machine => {
    const made = fleetOf(card("m", changes)).get("m");
    if (!made) throw new Error("no machine");
    return made;
  };

  it("tells each condition in its own words", () => {
    expect(presence(machine({ last_seen: now - 500 }), now)).toBe("seen just now");
    expect(presence(machine({ last_seen: now - 5000 }), now)).toBe("seen 5 s ago");
    expect(presence(machine({ status: "degraded", last_seen: now - 20_000 }), now)).toBe(
      "silent for 20 s",
    );
    expect(presence(machine({ status: "offline", last_seen: now - 3 * HOUR }), now)).toBe(
      "offline since 14:02 (3 h)",
    );
    const pc = { status: "offline", facts: facts({ ephemeral: true }) } as const;
    expect(presence(machine({ ...pc, last_seen: now - 3 * HOUR }), now)).toBe(
      "off since 14:02 (3 h)",
    );
    expect(presence(machine({ status: "offline", last_seen: 0 }), now)).toBe("never seen yet");
  });

  it("says what a machine has left to catch up with, and about how long", () => {
    const left = (bytes: number, at: number, status: Machine["status"] = "online") =>
      card("a", { status, last_seen: at, values: new Map([["agent.spool_bytes", bytes]]) });
    const told = (...cards: readonly Card[]) =>
      cards.reduce((fleet, each) => applyFrame(fleet, frame({ full: false, nodes: [each] })), EMPTY_FLEET);
    const words = (fleet: Fleet) => [...fleet.values()].map(catchingUp);
    expect(words(told(left(12.3e6, 0)))).toEqual(["catching up: 12.3 MB left, starts soon"]);
    expect(words(told(left(9e6, 0), left(8e6, 5000), left(12.3e6, 9000)))).toEqual([
      "catching up: 12.3 MB left",
    ]);
    expect(words(told(left(13.8e6, 0), left(12.3e6, 5000)))).toEqual([
      "catching up: 12.3 MB left, about 41 s",
    ]);
    expect(words(told(left(12.3e6, 0, "degraded")))).toEqual([""]);
    expect(words(told(card("a")))).toEqual([""]);
  });
});

it.each([
  ["Debian GNU/Linux 12 (bookworm)", "Debian 12"],
  ["Windows 11", "Windows 11"],
  ["", ""],
])("shortens %s", (os, short) => {
  expect(briefOs(os)).toBe(short);
});
