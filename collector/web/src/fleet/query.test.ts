import { describe, expect, it } from "vitest";
import { DEFAULT_QUERY, formatFleetQuery, isFiltered, parseFleetQuery } from "./query";

describe("the fleet page's address", () => {
  it("says nothing of what is as it is by default", () => {
    expect(formatFleetQuery(DEFAULT_QUERY).toString()).toBe("");
    expect(parseFleetQuery(new URLSearchParams())).toEqual(DEFAULT_QUERY);
  });

  it.each([
    "view=table&sort=cpu&status=offline&tag=lab&q=nas",
    "sort=cpu&dir=asc",
    "dir=desc",
    "status=online&status=off&tag=a&tag=b",
    "q=a+%26+b%3Dc",
  ])("survives the way there and back: %s", (address) => {
    const query = parseFleetQuery(new URLSearchParams(address));
    expect(formatFleetQuery(query).toString()).toBe(address);
  });

  it("takes what it knows from an address that somebody mistyped", () => {
    const query = parseFleetQuery(
      new URLSearchParams("view=circles&sort=colour&dir=up&status=fine&status=offline&tag="),
    );
    expect(query).toEqual({ ...DEFAULT_QUERY, statuses: ["offline"] });
  });

  it("sorts figures downwards and names upwards unless told otherwise", () => {
    expect(parseFleetQuery(new URLSearchParams("sort=disk")).direction).toBe("desc");
    expect(parseFleetQuery(new URLSearchParams("sort=name")).direction).toBe("asc");
  });

  it("knows whether anything is filtered", () => {
    expect(isFiltered(DEFAULT_QUERY)).toBe(false);
    expect(isFiltered({ ...DEFAULT_QUERY, search: " " })).toBe(false);
    expect(isFiltered({ ...DEFAULT_QUERY, tags: ["lab"] })).toBe(true);
  });
});
