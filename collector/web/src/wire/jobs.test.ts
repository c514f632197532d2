import { describe, expect, it } from "vitest";
import { readJob, readJobs, readJobsFrame, readWorkers } from "./jobs";
import { parse } from "./read";
import { plainLines, prettyJson } from "./text";

const SUMMARY = {
  id: "a",
  type: "echo",
  status: "pending",
  created_at: 1,
  attempt_count: 0,
  max_attempts: 3,
  resource_class: "cpu",
};

const read = <T>(reader: (value: unknown, path: string) => T, value: unknown): T =>
  parse(reader, JSON.stringify(value));

describe("messages of jobs", () => {
  it("say no more than they must", () => {
    const { jobs, next } = read(readJobs, { jobs: [SUMMARY], counts: { pending: 1 } });
    expect(jobs[0]).toMatchObject({ ...SUMMARY, name: null, progress: null, priority: 0 });
    expect(next).toBeNull();
    const frame = read(readJobsFrame, { now: 1, counts: {}, jobs: [] });
    expect(frame).toMatchObject({ gone: [], reload: false });
    expect(read(readWorkers, { workers: [], types: [{ name: "echo" }] }).types[0]).toMatchObject({
      workers: 0,
      payload_schema: null,
    });
  });

  it("are refused with a status that nobody knows", () => {
    expect(() => read(readJobs, { jobs: [{ ...SUMMARY, status: "odd" }], counts: {} })).toThrow(
      "jobs[0].status should be one of",
    );
  });

  it("lose what strangers hid in their text, but nothing of payload and result", () => {
    const hidden = "a\u202eb\u0007";
    const job = read(readJob, {
      ...SUMMARY,
      name: hidden,
      payload: { text: hidden },
      result: null,
      requires: {},
      attempts: [
        { number: 1, worker_id: "w", node_id: "n", started_at: 1, log_tail: `one\n${hidden}` },
      ],
    });
    expect(job.name).toBe("a b");
    expect(job.attempts[0]?.log_tail).toBe("one\na b ");
    expect(job.payload).toEqual({ text: hidden });
  });
});

it("shows a log without a terminal's colours", () => {
  expect(plainLines("\u001b[1;32mok\u001b[0m\r\n\tnext\u200b")).toBe("ok\n    next ");
});

describe("JSON for people", () => {
  it("stands in one line where it fits", () => {
    expect(prettyJson({ a: [1, 2], b: { c: null } })).toBe(
      '{\n  "a": [1, 2],\n  "b": {"c": null}\n}',
    );
    expect(prettyJson([])).toBe("[]");
    expect(prettyJson(3)).toBe("3");
  });

  it("wraps long lists of figures", () => {
    const lines = prettyJson(Array.from({ length: 60 }, (_, index) => index)).split("\n");
    expect(lines.length).toBeLessThan(7);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(100);
    expect(JSON.parse(lines.join(""))).toHaveLength(60);
  });

  it("writes out what could not be seen, and is still the same JSON", () => {
    const hostile = { "k\u202e": "a\u200bb\u{e0041}\n" };
    const words = prettyJson(hostile);
    expect(words).toContain("\\u202e");
    expect(words).not.toMatch(/[\u202e\u200b]/);
    expect(JSON.parse(words)).toEqual(hostile);
  });
});
