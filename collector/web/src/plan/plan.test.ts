import { describe, expect, it } from "vitest";
import { looksLikePlan, planIn } from "../wire/plan";
import { firstEndingAfter, placeAt, rowAt, stepped } from "./find";
import { layOut, LANE_PX, ROW_PX } from "./layout";
import { planOf, task } from "./samples";
import { isWhole, moved, showing, ticksOf, within, zoomed } from "./view";
import { lateWords, taskName, taskWords, timeWords } from "./words";

const TWO = planOf([
  task("1", "a", "m1", [0, 4]),
  task("2", "b", "m1", [6, 9], { setup: 2 }),
  task("3", "a", "m2", [4, 10]),
]);

describe("the layout of a plan", () => {
  it("has a row for each machine, with its tasks in order", () => {
    const { rows, height, to } = layOut(TWO);
    expect(rows.map((row) => row.name)).toEqual(["m1", "m2"]);
    expect(rows[0]?.lanes[0]?.map(({ task: one, from }) => [one.id, from])).toEqual([
      ["1", 0],
      ["2", 4],
    ]);
    expect([rows[1]?.top, height, to]).toEqual([ROW_PX, 2 * ROW_PX, 10]);
  });

  it("tells how much of the time in which it is there a machine works and is set up", () => {
    const machines = [{ id: "m1", name: "Saw", unavailable: [[9, 10]] as const }];
    const [row] = layOut(planOf(TWO.tasks, { machines, horizon: 10 })).rows;
    expect(row?.use.work).toBeCloseTo(7 / 9);
    expect(row?.use.setup).toBeCloseTo(2 / 9);
  });

  it("counts no work while a machine is not there, also of a task that waits for it", () => {
    const machines = [{ id: "m1", name: "Saw", unavailable: [[2, 6]] as const }];
    const [row] = layOut(planOf([task("1", "a", "m1", [0, 10])], { machines, horizon: 10 })).rows;
    expect(row?.use.work).toBeCloseTo(1);
  });

  it("puts what is done at once in lanes of its own", () => {
    const resources = [{ id: "r", name: "Crew", capacity: 2 }];
    const demands = new Map([["r", 1]]);
    const both = [
      task("1", "a", "", [0, 4], { machines: [], demands }),
      task("2", "b", "", [2, 6], { machines: [], demands }),
      task("3", "c", "", [4, 6], { machines: [], demands }),
    ];
    const { rows } = layOut(planOf(both, { resources, machines: [] }));
    expect(rows[0]?.lanes.map((lane) => lane.map((bar) => bar.task.id))).toEqual([
      ["1", "3"],
      ["2"],
    ]);
    expect(rows[0]?.height).toBeGreaterThan(2 * LANE_PX);
    expect(rows[0]?.use.work).toBeCloseTo(10 / 12);
  });

  it("shows a task on each of its machines, and one of none in a row of its own", () => {
    const tasks = [
      task("1", "a", "m1", [0, 4], { machines: ["m1", "m2"] }),
      task("2", "a", "", [4, 5], { machines: [] }),
    ];
    expect(layOut(planOf(tasks)).rows.map((row) => row.lanes.flat().length)).toEqual([1, 1, 1]);
  });

  it("tells jobs apart by colour and pattern, and knows their last task", () => {
    const tasks = Array.from({ length: 20 }, (_, index) =>
      task(`${index}`, `j${String(index).padStart(2, "0")}`, "m", [index, index + 1]),
    );
    const marks = [...layOut(planOf(tasks)).jobs.values()];
    expect(new Set(marks.map(({ hue, pattern }) => `${hue} ${pattern}`)).size).toBe(20);
    expect(marks[3]?.last?.id).toBe("3");
  });

  it("leaves out of short names what all begin with, up to a word's end", () => {
    const named = (...names: readonly string[]) => {
      const tasks = names.map((_, index) => task("1", `j${index}`, "m", [0, 1]));
      const { jobs, ...rest } = planOf(tasks);
      const renamed = jobs.map((one, index) => ({ ...one, name: names[index] ?? "" }));
      return [...layOut({ ...rest, jobs: renamed }).jobs.values()].map(({ short }) => short);
    };
    expect(named("Order 1000", "Order 1001")).toEqual(["1000", "1001"]);
    expect(named("Saw", "Sand")).toEqual(["Saw", "Sand"]);
    expect(named("Only one")).toEqual(["Only one"]);
  });

  it("has the latest of the late jobs first", () => {
    const { jobs } = planOf(TWO.tasks);
    const late = jobs.map((one, index) => ({ ...one, due: 1, tardiness: index + 1 }));
    expect(layOut(planOf(TWO.tasks, { jobs: late })).late.map((one) => one.id)).toEqual(["b", "a"]);
    expect(lateWords(planOf(TWO.tasks, { jobs: late }), 2)).toBe("2 jobs of 2");
    expect(lateWords(TWO, 0)).toBe("");
  });

  it("is there at once for 100,000 tasks", () => {
    const tasks = Array.from({ length: 100_000 }, (_, index) =>
      task(`${index}`, `j${index % 500}`, `m${index % 50}`, [index, index + 40]),
    );
    expect(layOut(planOf(tasks, { horizon: 0 })).to).toBe(100_039);
  });
});

describe("the stretch that is looked at", () => {
  const whole = { from: 0, to: 1000 };

  it("zooms about a time, which stays where it is", () => {
    const near = zoomed(whole, 2, 250, whole);
    expect(near).toEqual({ from: 125, to: 625 });
    expect(zoomed(near, 0.01, 300, whole)).toEqual(whole);
    expect(isWhole(zoomed(near, 0.01, 300, whole), whole)).toBe(true);
  });

  it("is never less than a few units", () => {
    const { from, to } = zoomed(whole, 1e9, 500, whole);
    expect(to - from).toBe(4);
  });

  it("moves no further than to the ends", () => {
    const view = { from: 100, to: 300 };
    expect(moved(view, 0.5, whole)).toEqual({ from: 200, to: 400 });
    expect(moved(view, -5, whole)).toEqual({ from: 0, to: 200 });
    expect(within({ from: 900, to: 1200 }, whole)).toEqual({ from: 700, to: 1000 });
  });

  it("moves only as far as needed to show something", () => {
    const view = { from: 100, to: 300 };
    expect(showing(view, 150, 160, whole)).toBe(view);
    expect(showing(view, 400, 420, whole)).toEqual({ from: 230, to: 430 });
    expect(showing(view, 50, 60, whole)).toEqual({ from: 40, to: 240 });
    expect(showing(view, 500, 900, whole).from).toBe(490);
  });

  it("has round times on its axis, and whole ones", () => {
    expect(ticksOf({ from: 0, to: 1000 }, 800)).toEqual([
      0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000,
    ]);
    expect(ticksOf({ from: 1.5, to: 4.5 }, 800)).toEqual([2, 3, 4]);
    expect(ticksOf({ from: 0, to: 967 }, 280)).toEqual([0, 250, 500, 750]);
    expect(ticksOf({ from: 0, to: 10 }, 300)).toEqual([0, 5, 10]);
  });
});

describe("finding a bar", () => {
  const layout = layOut(TWO);

  it("finds what is under the pointer, and what is so thin that it is hardly there", () => {
    expect(rowAt(layout, ROW_PX - 1)).toBe(0);
    expect([rowAt(layout, -1), rowAt(layout, 2 * ROW_PX)]).toEqual([-1, -1]);
    expect(placeAt(layout, 1, 10, 0)?.bar.task.id).toBe("1");
    expect(placeAt(layout, 5, 10, 0)?.bar.task.id).toBe("2");
    expect(placeAt(layout, 9.4, 10, 0)).toBeNull();
    expect(placeAt(layout, 9.4, 10, 0.5)?.bar.task.id).toBe("2");
    expect(placeAt(layout, 1, ROW_PX + 10, 0)).toBeNull();
  });

  it("knows the first bar in sight", () => {
    const bars = layout.rows[0]?.lanes[0] ?? [];
    expect([0, 4, 9].map((at) => firstEndingAfter(bars, at))).toEqual([0, 1, 2]);
  });

  it("goes from bar to bar by the keys", () => {
    const first = stepped(layout, null, "after");
    expect(first?.bar.task.id).toBe("1");
    const second = stepped(layout, first, "after");
    expect(second?.bar.task.id).toBe("2");
    expect(stepped(layout, second, "after")).toBe(second);
    expect(stepped(layout, second, "below")?.bar.task.id).toBe("3");
    expect(stepped(layout, first, "above")).toBe(first);
    expect(stepped(layout, second, "first")?.bar.task.id).toBe("1");
  });
});

describe("a plan in words", () => {
  it("tells a task whole", () => {
    const [, second] = TWO.tasks;
    const jobOf = { ...TWO.jobs[1], id: "b", name: "Order 7", tardiness: 3 } as (typeof TWO.jobs)[0];
    if (!second) throw new Error("no task");
    expect(taskName(second, jobOf)).toBe("Order 7 · 2");
    expect(taskWords(second, jobOf, "Saw", "min")).toBe(
      "Order 7 · 2 on Saw, from 6 min to 9 min, set-up 2 min, its job is late by 3 min",
    );
    expect(timeWords(1234, "1")).toBe("1,234");
  });
});

describe("a result", () => {
  const result = {
    status: "optimal",
    objective: 4,
    bound: 4,
    objectives: { makespan: 4 },
    horizon: 4,
    time_unit: "1",
    machines: [{ id: 1, name: null, unavailable: [[1, 2]] }],
    jobs: [{ id: "a", end: 4 }],
    tasks: [{ id: "1", job: "a", operation: "x\u202e", machines: [1], start: 0, end: 4 }],
  };

  it("is read as a plan where it looks like one", () => {
    expect(looksLikePlan(result)).toBe(true);
    expect([{}, null, [], { tasks: [], machines: [] }].map(looksLikePlan)).toEqual([
      false,
      false,
      false,
      false,
    ]);
    const read = planIn(result);
    if (read.kind !== "plan") throw new Error(read.fault);
    expect(read.plan.machines[0]).toEqual({ id: "1", name: "", unavailable: [[1, 2]] });
    expect(read.plan.tasks[0]).toMatchObject({ machines: ["1"], operation: "x", setup: 0 });
  });

  it("says what is wrong with it", () => {
    const odd = { ...result, tasks: [{ ...result.tasks[0], start: "soon" }] };
    expect(planIn(odd)).toEqual({ kind: "fault", fault: "tasks[0].start should be a number" });
  });
});
