import { describe, expect, it } from "vitest";
import {
  extentOf,
  FIVE_MINUTES,
  formatRange,
  marked,
  ONE_HOUR,
  panned,
  parseRange,
  PRESETS,
  sameRange,
  zoomedIn,
  zoomedOut,
  type Range,
} from "./range";

const NOW = 1_795_258_875_000;
const MINUTE = 60_000;
const span = (from: number, to: number): Range => ({ kind: "span", from, to });

describe("the range in the address", () => {
  it("writes what it reads, and leaves out what is usual", () => {
    for (const preset of PRESETS) {
      const range: Range = { kind: "last", ms: preset.ms };
      const params = formatRange(range, FIVE_MINUTES);
      expect(params.get("range")).toBe(preset.name === "5m" ? null : preset.name);
      expect(sameRange(parseRange(params, FIVE_MINUTES), range)).toBe(true);
    }
    const some = span(NOW - MINUTE, NOW);
    expect(parseRange(formatRange(some, ONE_HOUR), ONE_HOUR)).toEqual(some);
  });

  it.each(["range=2y", "from=1&to=x", "from=9&to=1", "from=-5&to=99999999", "from=0&to=100"])(
    "takes %s for no range",
    (query) => {
      expect(parseRange(new URLSearchParams(query), ONE_HOUR)).toBe(ONE_HOUR);
    },
  );

  it("asks for no more than is kept", () => {
    const range = parseRange(new URLSearchParams(`from=0&to=${NOW}`), ONE_HOUR);
    expect(range.kind === "span" && range.to - range.from).toBe(30 * 24 * 60 * MINUTE);
  });
});

describe("zooming and moving", () => {
  it("goes through the presets while it moves with the time", () => {
    expect(zoomedIn(ONE_HOUR, NOW)).toEqual({ kind: "last", ms: 15 * MINUTE });
    expect(zoomedOut(ONE_HOUR, NOW)).toEqual({ kind: "last", ms: 360 * MINUTE });
    expect(zoomedIn(FIVE_MINUTES, NOW).kind).toBe("span");
    const longest: Range = { kind: "last", ms: 30 * 24 * 60 * MINUTE };
    expect(zoomedOut(longest, NOW)).toBe(longest);
  });

  it("halves and doubles a stretch about its middle", () => {
    const hour = span(NOW - 120 * MINUTE, NOW - 60 * MINUTE);
    expect(zoomedIn(hour, NOW)).toEqual(span(NOW - 105 * MINUTE, NOW - 75 * MINUTE));
    expect(zoomedOut(zoomedIn(hour, NOW), NOW)).toEqual(hour);
  });

  it("never looks into the future", () => {
    const out = zoomedOut(span(NOW - 10 * MINUTE, NOW), NOW);
    expect(out).toEqual(span(NOW - 20 * MINUTE, NOW));
    expect(panned(span(NOW - 12 * MINUTE, NOW - MINUTE), 1, NOW)).toEqual(
      span(NOW - 11 * MINUTE, NOW),
    );
  });

  it("moves half its length, and with the time again once it is back at now", () => {
    const earlier = panned(ONE_HOUR, -1, NOW);
    expect(earlier).toEqual(span(NOW - 90 * MINUTE, NOW - 30 * MINUTE));
    expect(panned(earlier, 1, NOW)).toEqual(ONE_HOUR);
    expect(panned(earlier, 1, NOW + 10 * MINUTE)).toEqual(ONE_HOUR);
    expect(panned(earlier, 1, NOW + 20 * MINUTE)).toEqual(span(NOW - 60 * MINUTE, NOW));
    expect(panned(ONE_HOUR, 1, NOW)).toBe(ONE_HOUR);
  });

  it("stops where there is nothing more to see", () => {
    const short = span(NOW - 20_000, NOW);
    expect(zoomedIn(short, NOW)).toBe(short);
    expect(extentOf(marked(NOW - 2000, NOW - 1000), NOW)).toMatchObject({
      from: NOW - 11_500,
      to: NOW + 8500,
    });
  });
});
