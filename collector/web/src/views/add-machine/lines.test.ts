import { describe, expect, it } from "vitest";
import type { MintedInvite, ReleaseFile } from "../../wire/messages";
import {
  archivesFor,
  codeOf,
  fetchAndJoin,
  fetchAuthority,
  grouped,
  joinOnly,
  powerShellQuoted,
  processorName,
  shellQuoted,
} from "./lines";

const SHA256 = "ab".repeat(32);
const MINTED: MintedInvite = {
  invite: {
    id: "i",
    status: "open",
    uses: 1,
    used: 0,
    node_id: null,
    expires_at: 1,
    joined: [],
  },
  join_string: "forge_join_AQ-_x",
  url: "http://192.168.1.10:8750",
  ca_fingerprint: null,
};

function file(platform: string, changes: Partial<ReleaseFile> = {}): ReleaseFile {
  const name = `forge-agent-1.2.0-${platform}.${platform.startsWith("windows") ? "zip" : "tar.gz"}`;
  return { name, platform, kind: "folder", size: 9, sha256: SHA256, ...changes };
}

describe("the archives for a platform", () => {
  const files = [
    file("linux-riscv64"),
    file("linux-aarch64"),
    file("linux-x86_64"),
    file("linux-x86_64", { kind: "file" }),
    file("macos-x86_64"),
    file("macos-arm64"),
    file("windows-x86_64"),
  ];
  const release = { version: "1.2.0", files };

  it("are of that platform alone, the most usual first", () => {
    const found = archivesFor(release, "linux").map((one) => one.platform);
    expect(found).toEqual(["linux-x86_64", "linux-aarch64", "linux-riscv64"]);
    expect(archivesFor(release, "macos").map(processorName)).toEqual([
      "Apple silicon",
      "Intel or AMD (x86-64)",
    ]);
    expect(archivesFor(release, "windows")).toHaveLength(1);
    expect(archivesFor(null, "linux")).toEqual([]);
  });

  it.each([
    { name: "a.tar.gz; reboot" },
    { name: "$(reboot).tar.gz" },
    { name: "../agent.tar.gz" },
    { name: "-rf" },
    { name: "" },
    { sha256: "" },
    { sha256: `${SHA256.slice(1)}'` },
  ])("leave out what a shell could misread: %j", (changes) => {
    const odd = { version: "1", files: [file("linux-x86_64", changes)] };
    expect(archivesFor(odd, "linux")).toEqual([]);
  });
});

describe("the line", () => {
  it("fetches, checks and joins on Linux", () => {
    expect(fetchAndJoin("linux", MINTED, file("linux-x86_64"))).toBe(
      '( d=$(mktemp -d) && cd "$d" && curl -fsSL -o forge-agent-1.2.0-linux-x86_64.tar.gz ' +
        "'http://192.168.1.10:8750/api/releases/forge-agent-1.2.0-linux-x86_64.tar.gz' && " +
        `echo '${SHA256}  forge-agent-1.2.0-linux-x86_64.tar.gz' | sha256sum -c - && ` +
        "tar -xzf forge-agent-1.2.0-linux-x86_64.tar.gz && " +
        '$([ "$(id -u)" = 0 ] || echo sudo) ' +
        './forge-agent/forge-agent join --install forge_join_AQ-_x && rm -rf "$d" )',
    );
  });

  it("asks for no known certificate where the collector has its own authority", () => {
    const own = { ...MINTED, url: "https://h:1/forge/", ca_fingerprint: "0".repeat(64) };
    expect(fetchAndJoin("macos", own, file("macos-arm64"))).toContain(
      "curl -fsSLk -o forge-agent-1.2.0-macos-arm64.tar.gz 'https://h:1/forge/api/releases/",
    );
    expect(fetchAndJoin("macos", own, file("macos-arm64"))).toContain("| shasum -a 256 -c - &&");
    expect(fetchAndJoin("windows", own, file("windows-x86_64"))).toContain("curl.exe -fsSLk -o");
  });

  it("stops on Windows before it runs what is not the file", () => {
    const line = fetchAndJoin("windows", MINTED, file("windows-x86_64"));
    const check = line.indexOf(`.Hash -ne '${SHA256}') { throw`);
    expect(check).toBeGreaterThan(line.indexOf("curl.exe"));
    expect(line.indexOf("Expand-Archive")).toBeGreaterThan(check);
    expect(line.endsWith("forge-agent.exe join --install forge_join_AQ-_x")).toBe(true);
  });

  it("is short where the agent is there", () => {
    expect(joinOnly("linux", "forge-agent", MINTED)).toBe(
      "sudo forge-agent join --install forge_join_AQ-_x",
    );
    expect(joinOnly("windows", "forge-agent", MINTED)).toBe(
      "forge-agent join --install forge_join_AQ-_x",
    );
  });

  it("quotes whatever an address holds", () => {
    const odd = { ...MINTED, url: "http://h/a'b;$(c)" };
    expect(fetchAndJoin("linux", odd, file("linux-x86_64"))).toContain(
      "'http://h/a'\\''b;$(c)/api/releases/",
    );
    expect(shellQuoted("it's")).toBe("'it'\\''s'");
    expect(powerShellQuoted("it's \u2019")).toBe("'it''s \u2019\u2019'");
  });
});

it("groups a fingerprint for comparing", () => {
  expect(grouped("0123456789ab")).toBe("0123 4567 89ab");
});

it("tells the code in a join string", () => {
  // As forge_shared.joining makes it.
  const withFingerprint =
    "forge_join_AQGqTC2a1uaSismTOiXwIZ0gV07_hlYwkOyLIz4kmb9j7jPVIPA_Aw1PWR9KC1s4QHJodHRwczovLz" +
    "EwLjk5LjAuMTo4NzUwHzoHuQ";
  expect(codeOf(withFingerprint)).toBe("gpks-b4b7-amgu-6wi7-jifv-woca-oi");
});

it("fetches the authority's certificate, its address quoted for the shell", () => {
  expect(fetchAuthority("linux", "https://10.0.0.1:8750/")).toBe(
    "curl -fsSko ca.pem 'https://10.0.0.1:8750/ca.pem'",
  );
  expect(fetchAuthority("windows", "https://a'b")).toBe(
    "curl.exe -fsSko ca.pem 'https://a''b/ca.pem'",
  );
});
