import { describe, expect, it } from "vitest";
import {
  applyFrame,
  endingFirst,
  isOverfull,
  NO_JOBS,
  sectionOf,
  withAll,
  withFirstPage,
  withNextPage,
} from "./lists";
import { EVERY_JOB, matcherOf } from "./query";
import { jobsFrame, page, summary } from "./samples";

const any = matcherOf(EVERY_JOB);
const idsOf = (section: ReturnType<typeof sectionOf>) => section.jobs.map((one) => one.id);

describe("the lists of jobs", () => {
  it("show the newest first, page by page", () => {
    const first = withFirstPage(NO_JOBS, "running", page("running", ["d", "c"], { next: "c" }));
    expect(sectionOf(first, ["running"])).toMatchObject({ hasMore: true });
    const both = withNextPage(first, "running", page("running", ["b", "a"], { newest: 900 }));
    expect(idsOf(sectionOf(both, ["running"]))).toEqual(["d", "c", "b", "a"]);
    expect(sectionOf(both, ["running"]).hasMore).toBe(false);
  });

  it("show what is pending in the order it is taken, as far as the pages go", () => {
    const queue = (...told: readonly (readonly [string, number])[]) => ({
      jobs: told.map(([id, rank]) => summary(id, { rank, created_at: 1000 - rank })),
      counts: new Map([["pending", 9]]),
      next: "more",
    });
    const first = withFirstPage(NO_JOBS, "pending", queue(["b", 10], ["c", 20], ["a", 30]));
    expect(idsOf(sectionOf(first, ["pending"]))).toEqual(["b", "c", "a"]);
    const urgent = summary("u", { rank: 15, created_at: 5000 });
    const late = summary("l", { rank: 40, created_at: 5000 });
    const next = applyFrame(first, jobsFrame({ jobs: [late, urgent] }), any);
    expect(idsOf(sectionOf(next, ["pending"]))).toEqual(["b", "u", "c", "a"]);
    const all = withNextPage(next, "pending", { ...queue(["z", 35]), next: null });
    expect(idsOf(sectionOf(all, ["pending"]))).toEqual(["b", "u", "c", "a", "z", "l"]);
  });

  it("are all known from one page where they fit in it", () => {
    const jobs = [summary("p"), summary("f", { status: "failed" })];
    const lists = withAll(["pending", "running"], { jobs, counts: new Map(), next: null });
    expect([...lists.jobs.keys()]).toEqual(["p"]);
    expect(sectionOf(lists, ["pending", "running"]).hasMore).toBe(false);
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
