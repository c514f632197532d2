import { describe, expect, it } from "vitest";
import { EVERY_JOB, formatJobsQuery, isFiltered, matcherOf, parseJobsQuery } from "./query";
import { summary } from "./samples";
import { sectionsFor } from "./sections";

describe("the address of the jobs", () => {
  it("says nothing of what is as it is by default", () => {
    expect(formatJobsQuery(EVERY_JOB).toString()).toBe("");
    expect(parseJobsQuery(new URLSearchParams())).toEqual(EVERY_JOB);
  });

  it.each(["status=running&status=failed&type=echo&node=nas&q=a+b", "q=x%26y"])(
    "survives the way there and back: %s",
    (address) => {
      const query = parseJobsQuery(new URLSearchParams(address));
      expect(formatJobsQuery(query).toString()).toBe(address);
    },
  );

  it("takes what it knows from an address that somebody mistyped", () => {
    const query = parseJobsQuery(new URLSearchParams("status=odd&status=failed"));
    expect(query).toEqual({ ...EVERY_JOB, statuses: ["failed"] });
    expect(isFiltered(query)).toBe(true);
    expect(isFiltered({ ...EVERY_JOB, search: "  " })).toBe(false);
  });
});

describe("the filter", () => {
  const one = summary("0190-abc", { name: "Week 47", type: "prodplan", node_id: "nas" });

  it.each([
    [{ search: "WEEK" }, true],
    [{ search: "0190-a" }, true],
    [{ search: "abc" }, false],
    [{ type: "prodplan", node: "nas" }, true],
    [{ type: "echo" }, false],
    [{ node: "pc" }, false],
    [{ statuses: ["running"] }, false],
    [{ statuses: ["running", "pending"] }, true],
  ] as const)("looks as the collector does: %o", (changes, fits) => {
    expect(matcherOf({ ...EVERY_JOB, ...changes })(one)).toBe(fits);
  });

  it("leaves the parts of the page that it asks for", () => {
    expect(sectionsFor([]).map(({ name }) => name)).toHaveLength(5);
    expect(sectionsFor(["waiting", "failed"])).toMatchObject([
      { name: "Failed, for review", statuses: ["failed"] },
      { name: "Waiting", statuses: ["waiting"] },
    ]);
  });
});
