import { describe, expect, it } from "vitest";
import {
  applyFrame,
  endingFirst,
  isOverfull,
  NO_JOBS,
  sectionOf,
  withFirstPage,
  withNextPage,
} from "./lists";
import { EVERY_JOB, matcherOf } from "./query";
import { jobsFrame, page, summary } from "./samples";

const any = matcherOf(EVERY_JOB);
const idsOf = (section: ReturnType<typeof sectionOf>) => section.jobs.map((one) => one.id);

describe("the lists of jobs", () => {
  it("show the newest first, page by page", () => {
    const first = withFirstPage(NO_JOBS, "pending", page("pending", ["d", "c"], { next: "c" }));
    expect(sectionOf(first, ["pending"])).toMatchObject({ hasMore: true });
    const both = withNextPage(first, "pending", page("pending", ["b", "a"], { newest: 900 }));
    expect(idsOf(sectionOf(both, ["pending"]))).toEqual(["d", "c", "b", "a"]);
    expect(sectionOf(both, ["pending"]).hasMore).toBe(false);
  });

  it("move a job from where it was to where it is", () => {
    const lists = withFirstPage(NO_JOBS, "pending", page("pending", ["b", "a"]));
    const running = summary("a", { status: "running", created_at: 999 });
    const next = applyFrame(lists, jobsFrame({ jobs: [running] }), any);
    expect(idsOf(sectionOf(next, ["pending"]))).toEqual(["b"]);
    expect(idsOf(sectionOf(next, ["running"]))).toEqual(["a"]);
    expect(next.jobs.get("b")).toBe(lists.jobs.get("b"));
  });

  it("drop what is gone, and what the filter no longer lets through", () => {
    const lists = withFirstPage(NO_JOBS, "pending", page("pending", ["b", "a"]));
    const matches = matcherOf({ ...EVERY_JOB, statuses: ["pending"] });
    const frame = jobsFrame({ gone: ["b"], jobs: [summary("a", { status: "running" })] });
    expect(applyFrame(lists, frame, matches).jobs.size).toBe(0);
  });

  it("take the counts of every frame", () => {
    const counts = new Map([["failed", 7]]);
    expect(applyFrame(NO_JOBS, jobsFrame({ counts }), any).counts).toBe(counts);
  });

  it("do not show what is older than the end of the pages: there may be others between", () => {
    const lists = withFirstPage(NO_JOBS, "failed", page("failed", ["d", "c"], { next: "c" }));
    const old = summary("a", { status: "failed", created_at: 5 });
    const fresh = summary("e", { status: "failed", created_at: 5000 });
    const next = applyFrame(lists, jobsFrame({ jobs: [old, fresh] }), any);
    expect(idsOf(sectionOf(next, ["failed"]))).toEqual(["e", "d", "c"]);
    const all = withNextPage(next, "failed", page("failed", ["b"], { newest: 900 }));
    expect(idsOf(sectionOf(all, ["failed"]))).toEqual(["e", "d", "c", "b", "a"]);
  });

  it("show two statuses together as far as both are known", () => {
    let lists = withFirstPage(NO_JOBS, "succeeded", page("succeeded", ["x", "w"], { next: "w" }));
    lists = withFirstPage(lists, "cancelled", page("cancelled", ["v"], { newest: 10 }));
    expect(idsOf(sectionOf(lists, ["succeeded", "cancelled"]))).toEqual(["x", "w"]);
    expect(endingFirst(lists, ["succeeded", "cancelled"])).toEqual(["succeeded"]);
  });

  it("forget a status's jobs when its first page comes again", () => {
    const lists = withFirstPage(NO_JOBS, "pending", page("pending", ["b", "a"]));
    const next = withFirstPage(lists, "pending", page("pending", ["b"]));
    expect([...next.jobs.keys()]).toEqual(["b"]);
  });

  it("say when so many came that the pages are better asked for again", () => {
    const lists = withFirstPage(NO_JOBS, "pending", page("pending", ["a"]));
    const many = Array.from({ length: 600 }, (_, index) => summary(`n${index}`));
    expect(isOverfull(lists)).toBe(false);
    expect(isOverfull(applyFrame(lists, jobsFrame({ jobs: many }), any))).toBe(true);
  });
});
