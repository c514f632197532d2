import { expect, it } from "vitest";
import { figures } from "../../fleet/samples";
import { cores, instances, readingGroups, total } from "./readings";
import { columnsOf } from "./series";

const VALUES = figures({
  "cpu.pct": 3.2,
  "cpu.core_pct/10": 10,
  "cpu.core_pct/2": 2,
  "disk.pct//": 62,
  "disk.used_bytes//": 3.1e11,
  "disk.total_bytes//": 5e11,
  "disk.pct//srv/a b": 95,
  "net.rx_bytes_per_s/eth0": 1000,
  "net.rx_bytes_per_s/wg0": 24,
  "net.tx_bytes_per_s/eth0": 5,
});

it("splits a key at its first slash, and sorts instances as people count", () => {
  expect(instances(VALUES, "disk.pct").map(([mount]) => mount)).toEqual(["/", "/srv/a b"]);
  expect(cores(VALUES)).toEqual([2, 10]);
});

it("sums over instances, and has no sum of none", () => {
  expect(total(VALUES, "net.rx_bytes_per_s")).toBe(1024);
  expect(total(VALUES, "disk.read_bytes_per_s")).toBeUndefined();
});

it("groups what is there and leaves out what is not", () => {
  const groups = readingGroups(VALUES);
  expect(groups.map((group) => group.title)).toEqual([
    "Processor",
    "File systems",
    "Network, received · sent",
  ]);
  expect(groups[1]?.readings[0]).toEqual({ label: "/", figure: "310 GB of 500 GB", pct: 62 });
  expect(groups[1]?.readings[1]?.figure).toBe("95.0 %");
  expect(groups[2]?.readings[1]?.figure).toBe("24 B/s · –");
});

it("draws a gap where a machine was silent, and where a figure is missing", () => {
  const at = (ts: number, cpu?: number) => ({
    ts,
    values: figures(cpu === undefined ? {} : { cpu }),
  });
  const points = [at(0, 1), at(5000, 2), at(10_000, 3), at(60_000, 4), at(65_000)];
  expect(columnsOf(points, [(values) => values.get("cpu")])).toEqual([
    [0, 5, 10, 35, 60, 65],
    [1, 2, 3, null, 4, null],
  ]);
  expect(columnsOf([], [() => 1])).toEqual([[], []]);
});
