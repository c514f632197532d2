import { expect, it } from "vitest";
import { envFile, freeNodeId, isLoopback, platformOf } from "./instructions";

it.each([
  ["http://127.0.0.1:8750", true],
  ["http://localhost:8750", true],
  ["http://[::1]:8750", true],
  ["http://192.168.1.10:8750", false],
  ["https://localhost.example.org", false],
  ["nonsense", false],
])("%s means oneself: %s", (url, loopback) => {
  expect(isLoopback(url)).toBe(loopback);
});

it("suggests an id that is free", () => {
  expect(freeNodeId(new Set())).toBe("machine-2");
  expect(freeNodeId(new Set(["a", "b", "machine-4"]))).toBe("machine-5");
});

it("writes the settings", () => {
  const settings = { nodeId: "nas-2", centralUrl: "http://10.0.0.1:8750", token: "t" };
  expect(envFile({ ...settings, ownAuthority: false })).toBe(
    "NODE_ID=nas-2\nCENTRAL_URL=http://10.0.0.1:8750\nBEARER_TOKEN=t",
  );
  expect(envFile({ ...settings, ownAuthority: true })).toBe(
    "NODE_ID=nas-2\nCENTRAL_URL=http://10.0.0.1:8750\nFORGE_CA_FILE=ca.pem\nBEARER_TOKEN=t",
  );
});

it("guesses the platform", () => {
  expect(platformOf("Mozilla/5.0 (Windows NT 10.0; Win64; x64)")).toBe("windows");
  expect(platformOf("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)")).toBe("macos");
  expect(platformOf("Mozilla/5.0 (X11; Linux x86_64)")).toBe("linux");
});
