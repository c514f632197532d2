import { describe, expect, it } from "vitest";
import { formatRoute, nodeAddress, parseRoute } from "./route";

describe("addresses", () => {
  it.each(["", "#", "#/", "#/fleet", "#/fleet/"])("%s leads to the fleet", (hash) => {
    expect(parseRoute(hash).page).toBe("fleet");
  });

  it("carries the fleet's query, a node's id and a login code", () => {
    const fleet = parseRoute("#/fleet?view=table&q=a%2Fb");
    expect(fleet.page === "fleet" && fleet.params.get("q")).toBe("a/b");
    expect(parseRoute("#/node/nas-2")).toEqual({ page: "node", id: "nas-2" });
    expect(parseRoute("#/login/AB-CD")).toEqual({ page: "login", code: "AB-CD" });
    expect(parseRoute("#/access")).toEqual({ page: "access" });
  });

  it.each(["#/jobs", "#/node/", "#/node/a/b", "#/login/"])("does not know %s", (hash) => {
    expect(parseRoute(hash).page).toBe("unknown");
  });

  it("survives what is no valid encoding", () => {
    expect(parseRoute("#/node/%E0%A4%A")).toEqual({ page: "node", id: "%E0%A4%A" });
  });

  it("writes what it reads", () => {
    for (const hash of ["#/fleet", "#/fleet?sort=cpu", "#/node/a%20b", "#/access", "#/login/X"]) {
      expect(formatRoute(parseRoute(hash))).toBe(hash);
    }
    expect(nodeAddress("nas-2")).toBe("#/node/nas-2");
  });
});
