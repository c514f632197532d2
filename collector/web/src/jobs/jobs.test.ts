import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Attempt, AttemptOutcome } from "../wire/jobs";
import { MOST_KEPT, numbered, workedMs } from "./attempts";
import { payloadOf, takesText, textOf, UnusablePayload } from "./payload";
import { job, summary } from "./samples";
import { bestOf, labelsOf, rangeOf, searchOf } from "./search";
import { digestOf, Sha256 } from "./sha256";
import {
  duration,
  gapOf,
  nameOf,
  progressInWords,
  share,
  timeInWords,
  wholeTime,
  whyItWaits,
} from "./words";

describe("SHA-256", () => {
  it.each([0, 1, 55, 56, 63, 64, 65, 119, 1000])("is right for %d bytes", (length) => {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 7) & 255);
    const wanted = createHash("sha256").update(bytes).digest("hex");
    expect(new Sha256().update(bytes).hex()).toBe(wanted);
  });

  it("is the same however the bytes come", () => {
    const bytes = Uint8Array.from({ length: 500 }, (_, index) => index & 255);
    const pieces = new Sha256();
    for (let from = 0; from < 500; from += 37) pieces.update(bytes.subarray(from, from + 37));
    expect(pieces.hex()).toBe(new Sha256().update(bytes).hex());
  });

  it("reads a file piece by piece", async () => {
    const content = "x".repeat(5 * 1024 * 1024);
    const parts: number[] = [];
    const digest = await digestOf(new Blob([content]), (done) => parts.push(done));
    expect(digest).toBe(createHash("sha256").update(content).digest("hex"));
    expect(parts).toEqual([4 * 1024 * 1024, 5 * 1024 * 1024]);
  });
});

describe("a payload", () => {
  it("goes as it is when it is JSON, digit by digit", async () => {
    const json = ' {"n": 12345678901234567890.10} ';
    expect(await payloadOf(json, false).json.text()).toBe(json);
    expect(await payloadOf("  ", false).json.text()).toBe("null");
  });

  it("is read as what its byte order mark says it is", async () => {
    const wide = new Uint8Array([0xff, 0xfe, 0x7a, 0, 0xfc, 0]);
    const other = new Uint8Array([0xfe, 0xff, 0, 0x7a, 0, 0xfc]);
    for (const bytes of [wide, other, new TextEncoder().encode("\uFEFFzü"), "zü"]) {
      expect(await textOf(new Blob([bytes]))).toBe("zü");
    }
    expect(await textOf(new Blob([]))).toBe("");
  });

  it("may be a text where one is taken, and nowhere else", async () => {
    const text = "2 2\n0 3 1 2\n";
    expect(JSON.parse(await payloadOf(text, true).json.text())).toEqual({ text });
    expect(() => payloadOf(text, false)).toThrow(UnusablePayload);
    expect(() => payloadOf("a\0b", true)).toThrow(UnusablePayload);
    expect(() => payloadOf("", true)).toThrow(UnusablePayload);
  });

  it("that begins as JSON does is never sent as a text", () => {
    for (const broken of ['{"jobs": [}', " \n[1, 2", "{"]) {
      expect(() => payloadOf(broken, true)).toThrow(/^It is not JSON: ./);
    }
  });

  it("may be a text where the schema or the name says so", () => {
    const type = { name: "x", title: "", resource_class: "cpu", versions: [], workers: 1 };
    expect(takesText({ ...type, payload_schema: { properties: { text: {} } } }, "x")).toBe(true);
    expect(takesText({ ...type, payload_schema: { properties: {} } }, "x")).toBe(false);
    expect(takesText(undefined, "prodplan")).toBe(true);
  });
});

describe("words", () => {
  it("call a job by its name, or by its type and the end of its id", () => {
    expect(nameOf(summary("0190-12345678"))).toBe("echo 12345678");
    expect(nameOf(summary("a", { name: "Mine" }))).toBe("Mine");
  });

  it("tell the time that matters in its status", () => {
    const now = new Date(2026, 10, 21, 15, 0).getTime();
    const at = { created_at: now - 60_000, claimed_at: now - 30_000 };
    expect(timeInWords(summary("a", at), now)[0]).toBe("waits 1 min");
    expect(timeInWords(summary("a", { ...at, status: "running" }), now)[0]).toBe("for 30 s");
    const done = { ...at, status: "succeeded", finished_at: now - 25_800 } as const;
    expect(timeInWords(summary("a", done), now)).toEqual(["14:59", "34 s in all"]);
    expect([wholeTime(summary("a", done)), wholeTime(summary("a", at))]).toEqual(["34 s", null]);
  });

  it("count the wait of one that was tried again from when it came into the queue anew", () => {
    const again = { created_at: 0, priority: 5, rank: 900_000 - 5 * 60_000 };
    expect(timeInWords(summary("a", again), 1_000_000)[0]).toBe("waits 1 min");
  });

  it("tell short times and small shares", () => {
    expect([duration(12), duration(4200), duration(61_000)]).toEqual(["12 ms", "4.2 s", "1 min"]);
    expect([share(0), share(0.0005), share(0.034), share(0.5)]).toEqual([
      "0 %",
      "0.05 %",
      "3.4 %",
      "50 %",
    ]);
  });

  it("bring up to date how long a job is put off", () => {
    const why = "Attempt 1 failed; it is tried again in 9 min.";
    const put = summary("a", { status: "waiting", available_at: 600_000, waits_because: why });
    expect(whyItWaits(put, 60_000)).toBe(why);
    expect(whyItWaits(put, 560_000)).toBe("Attempt 1 failed; it is tried again in 40 s.");
    expect(whyItWaits(put, 700_000)).toBe("Attempt 1 failed; it is tried again in 0 s.");
    const pending = summary("a", { available_at: 1, waits_because: "pc is paused in 5 min." });
    expect(whyItWaits(pending, 560_000)).toBe("pc is paused in 5 min.");
  });

  it("tell a gap between what was found and what is proved", () => {
    expect([gapOf(100, 80), gapOf(80, 100), gapOf(0, 0), gapOf(5, null)]).toEqual([
      0.2,
      0.2,
      0,
      null,
    ]);
    const progress = { fraction: null, message: "at it", objective: 55, bound: 50, gap: 0.09 };
    expect(progressInWords(progress)).toBe("at it · objective 55 · gap 9.0 %");
  });
});

describe("a search", () => {
  const incumbents = [
    { at: 1500, objective: 90, bound: 40 },
    { at: 2500, objective: 60, bound: 50 },
  ];
  const attempts = [
    {
      number: 1,
      worker_id: "w",
      node_id: "n",
      started_at: 1000,
      ended_at: null,
      outcome: null,
      error: null,
      log_tail: "",
    },
  ];

  it("is told from the beginning of the job, and holds up to now", () => {
    const search = searchOf(job("a", { incumbents, attempts }), 4000);
    expect(search.at).toEqual([500, 1500, 3000]);
    expect(search.objective).toEqual([90, 60, 60]);
    expect(search.bound).toEqual([40, 50, 50]);
    expect(search.isLog).toBe(false);
  });

  it("ends with the bound that was proved since", () => {
    const progress = { fraction: null, message: "", objective: 60, bound: 58, gap: null };
    expect(searchOf(job("a", { incumbents, attempts, progress }), 4000).bound.at(-1)).toBe(58);
  });

  it("begins with the first solution where the worker's clock is another", () => {
    const away = incumbents.map((one) => ({ ...one, at: one.at + 3_600_000 }));
    expect(searchOf(job("a", { incumbents: away, attempts }), 4000).at).toEqual([0, 1000, 1000]);
  });

  it("shows magnitudes where objectives are far apart", () => {
    const wide = [9000, 60].map((objective, step) => ({ at: 1500 + step, objective, bound: 3 }));
    expect(searchOf(job("a", { incumbents: wide, attempts }), 4000).isLog).toBe(true);
    expect(searchOf(job("a", { incumbents: wide.slice(1), attempts }), 4000).isLog).toBe(false);
  });

  it("keeps the best of the job while another attempt starts anew, and says when that was", () => {
    const anew = [...incumbents, { at: 3200, objective: 75, bound: 0 }];
    const again = [...attempts, ...attempts.map((one) => ({ ...one, started_at: 3000 }))];
    const progress = { fraction: null, message: "", objective: 75, bound: 10, gap: 0.8 };
    const twice = job("a", { incumbents: anew, attempts: again, progress });
    const search = searchOf(twice, 4000);
    expect(search.objective).toEqual([90, 60, 60, 60]);
    expect(search.bound).toEqual([40, 50, 50, 50]);
    expect(search.starts).toEqual([2000]);
    expect(bestOf(twice)).toEqual({ objective: 60, bound: 50 });
  });

  it("keeps the greatest where more is better", () => {
    const more = [
      { at: 1500, objective: 10, bound: 90 },
      { at: 2500, objective: 40, bound: 80 },
      { at: 3200, objective: 30, bound: 95 },
    ];
    const search = searchOf(job("a", { incumbents: more, attempts }), 4000);
    expect(search.objective.at(-1)).toBe(40);
    expect(search.bound.at(-1)).toBe(80);
  });
});

describe("what the axis of a search shows", () => {
  const whole = { from: 0, to: 4000 };

  it("are the objectives and what was proved near them, not where bounds began", () => {
    const [low, high] = rangeOf([500, 1500, 3000], [1400, 940, 930], [0, 700, 905], whole);
    expect(low).toBeGreaterThan(600);
    expect(low).toBeLessThan(700);
    expect(high).toBeGreaterThan(1400);
    expect(high).toBeLessThan(1480);
  });

  it("reaches for the last bound, but not as far as nothing", () => {
    expect(rangeOf([500, 3000], [940, 930], [0, 800], whole)[0]).toBeLessThan(800);
    expect(rangeOf([500, 3000], [940, 930], [0, 0], whole)[0]).toBeGreaterThan(700);
    expect(rangeOf([], [], [], whole)).toEqual([0, 1]);
  });

  it("is of the stretch looked at, with what held at its beginning", () => {
    const [low, high] = rangeOf([500, 1500, 3000], [1400, 940, 930], [0, 900, 905], {
      from: 2000,
      to: 2500,
    });
    expect(low).toBeGreaterThan(890);
    expect(high).toBeLessThan(950);
  });

  it("has room for figures that differ where the objective never changes", () => {
    for (const objective of [12, -12, 0]) {
      const [low, high] = rangeOf([500, 3000], [objective, objective], [objective, null], whole);
      expect(low).toBeLessThan(objective - 0.05);
      expect(high).toBeGreaterThan(objective + 0.05);
    }
  });

  it("has no label twice", () => {
    const words = (tick: number) => tick.toFixed(0);
    expect(labelsOf([11.98, 11.99, 12, 12.01], words)).toEqual(["12", "", "", ""]);
    expect(labelsOf([11, 12, 13], words)).toEqual(["11", "12", "13"]);
  });
});

const ATTEMPT: Attempt = {
  number: 1,
  worker_id: "w",
  node_id: "n",
  started_at: 1000,
  ended_at: null,
  outcome: null,
  error: null,
  log_tail: "",
};

describe("attempts", () => {
  const charges = (...told: readonly (readonly [number, AttemptOutcome | null])[]) =>
    numbered(told.map(([number, outcome]) => ({ ...ATTEMPT, number, outcome }))).map(({ place, isCharged, isRetry }) => [place, isCharged, isRetry]);

  it("are numbered as they came, charged or not", () => {
    expect(charges([1, "yielded"], [1, "failed"], [2, "unstarted"], [2, null])).toEqual([
      [1, false, false],
      [2, true, false],
      [3, false, false],
      [4, true, false],
    ]);
  });

  it("tell which was the first after a retry", () => {
    expect(charges([1, "failed"], [2, "failed"], [1, "lost"], [2, null])).toEqual([
      [1, true, false],
      [2, true, false],
      [3, true, true],
      [4, true, false],
    ]);
    expect(charges([1, "cancelled"], [1, null])).toEqual([
      [1, false, false],
      [2, true, true],
    ]);
  });

  it("add up to how long there was work, once all are over", () => {
    const ended = { ...ATTEMPT, ended_at: 3500 };
    expect(workedMs([ended, ended])).toBe(5000);
    expect([workedMs([]), workedMs([ended, ATTEMPT])]).toEqual([null, null]);
    expect(workedMs(Array.from({ length: MOST_KEPT }, () => ended))).toBeNull();
  });
});
