import { describe, expect, it } from "vitest";
import { formatRoute, jobsOfNode, nodeAddress, parseRoute } from "./route";

describe("addresses", () => {
  it.each(["#/fleet", "#/fleet/", "#/fleet?q=x"])("%s leads to the fleet", (hash) => {
    expect(parseRoute(hash).page).toBe("fleet");
  });

  it.each(["", "#", "#/", "#/?range=1h"])("%s leads to the collector's own machine", (hash) => {
    expect(parseRoute(hash).page).toBe("home");
  });

  it("carries the fleet's query, a node's id and range, and a login code", () => {
    const fleet = parseRoute("#/fleet?view=table&q=a%2Fb");
    expect(fleet.page === "fleet" && fleet.params.get("q")).toBe("a/b");
    const node = parseRoute("#/node/nas-2?range=6h");
    expect(node.page === "node" && [node.id, node.params.get("range")]).toEqual(["nas-2", "6h"]);
    expect(parseRoute("#/login/AB-CD")).toEqual({ page: "login", code: "AB-CD" });
    expect(parseRoute("#/access")).toEqual({ page: "access" });
  });

  it.each(["#/job", "#/job/a/b", "#/node/", "#/node/a/b", "#/login/"])("does not know %s", (hash) => {
    expect(parseRoute(hash).page).toBe("unknown");
  });

  it("survives what is no valid encoding", () => {
    expect(parseRoute("#/node/%E0%A4%A")).toMatchObject({ page: "node", id: "%E0%A4%A" });
  });

  it("writes what it reads", () => {
    const addresses = ["#/", "#/?range=1h", "#/fleet", "#/fleet?sort=cpu", "#/node/a%20b"];
    for (const hash of [...addresses, "#/node/a?from=1&to=2", "#/access", "#/login/X", "#/jobs?q=a", "#/job/a"]) {
      expect(formatRoute(parseRoute(hash))).toBe(hash);
    }
    expect(nodeAddress("nas-2")).toBe("#/node/nas-2");
    expect(jobsOfNode("nas-2")).toBe("#/jobs?node=nas-2");
  });
});
