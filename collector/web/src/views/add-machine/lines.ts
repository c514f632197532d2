/** The one line that adds a machine: fetch the agent where it can be fetched, and join. */

import type { MintedInvite, Release, ReleaseFile } from "../../wire/messages";
import type { Platform } from "./instructions";

/** What of a release may be put into a line: nothing that a shell could read as its own. */
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const SHA256 = /^[0-9a-f]{64}$/;

const PROCESSORS: Readonly<Record<string, string>> = {
  x86_64: "Intel or AMD (x86-64)",
  aarch64: "ARM (64 bit)",
  arm64: "Apple silicon",
};

/** The archives of a release for this platform, the most usual processor first. */
export function archivesFor(release: Release | null, platform: Platform): readonly ReleaseFile[] {
  const order = platform === "macos" ? ["arm64", "x86_64"] : ["x86_64", "aarch64"];
  const fitting = (release?.files ?? []).filter(
    ({ name, platform: of, kind, sha256 }) =>
      kind === "folder" &&
      of.startsWith(`${platform}-`) &&
      FILE_NAME.test(name) &&
      SHA256.test(sha256),
  );
  // What the order does not name comes last.
  const rank = (file: ReleaseFile) => [...order, processorOf(file)].indexOf(processorOf(file));
  return fitting.sort((a, b) => rank(a) - rank(b));
}

export function processorName(file: ReleaseFile): string {
  const processor = processorOf(file);
  return PROCESSORS[processor] ?? processor;
}

function processorOf({ platform }: ReleaseFile): string {
  return platform.slice(platform.indexOf("-") + 1);
}

/**
 * Fetch the agent, check it, join and install. The folder it was fetched into is needed no more once
 * the service is installed, which has a copy; until then the program is there to try again.
 */
export function fetchAndJoin(platform: Platform, minted: MintedInvite, file: ReleaseFile): string {
  const url = `${minted.url.replace(/\/+$/, "")}/api/releases/${file.name}`;
  // Its own authority's certificate is not known there yet; the checksum in the line is trusted.
  const insecure = minted.ca_fingerprint === null ? "" : "k";
  if (platform === "windows") {
    return [
      "$d = Join-Path $env:TEMP ([guid]::NewGuid())",
      "mkdir $d | Out-Null",
      "cd $d",
      `curl.exe -fsSL${insecure} -o ${file.name} ${powerShellQuoted(url)}`,
      `if ((Get-FileHash ${file.name}).Hash -ne '${file.sha256}') ` +
        "{ throw 'This is not the file it should be.' }",
      `Expand-Archive ${file.name} .`,
      `.\\forge-agent\\forge-agent.exe join --install ${minted.join_string}`,
    ].join("; ");
  }
  const check = platform === "macos" ? "shasum -a 256 -c -" : "sha256sum -c -";
  const steps = [
    "d=$(mktemp -d)",
    'cd "$d"',
    `curl -fsSL${insecure} -o ${file.name} ${shellQuoted(url)}`,
    `echo '${file.sha256}  ${file.name}' | ${check}`,
    `tar -xzf ${file.name}`,
    // Who is root already may have no sudo.
    `$([ "$(id -u)" = 0 ] || echo sudo) ./forge-agent/forge-agent join --install ${minted.join_string}`,
    'rm -rf "$d"',
  ];
  // In a shell of its own: the one it is pasted into stays where it is.
  return `( ${steps.join(" && ")} )`;
}

/** Fetch the certificate of the collector's own authority, which nothing there trusts yet. */
export function fetchAuthority(platform: Platform, centralUrl: string): string {
  const url = `${centralUrl.replace(/\/+$/, "")}/ca.pem`;
  return platform === "windows"
    ? `curl.exe -fsSko ca.pem ${powerShellQuoted(url)}`
    : `curl -fsSko ca.pem ${shellQuoted(url)}`;
}

/** Join with an agent that is installed already. */
export function joinOnly(platform: Platform, program: string, minted: MintedInvite): string {
  const sudo = platform === "windows" ? "" : "sudo ";
  return `${sudo}${program} join --install ${minted.join_string}`;
}

export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

export function powerShellQuoted(text: string): string {
  // PowerShell takes typographic quotes for plain ones.
  return `'${text.replace(/['\u2018\u2019\u201a\u201b]/g, "$&$&")}'`;
}

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
const FINGERPRINT_BYTES = 32;
const CODE_BYTES = 16;

/** The code in a join string, in groups: what `forge-agent join --discover` takes alone. */
export function codeOf(joinString: string): string {
  const encoded = joinString.slice(joinString.lastIndexOf("forge_join_") + "forge_join_".length);
  const bytes = Uint8Array.from(
    atob(encoded.replaceAll("-", "+").replaceAll("_", "/")),
    (letter) => letter.charCodeAt(0),
  );
  const start = 2 + ((bytes[1] ?? 0) & 1 ? FINGERPRINT_BYTES : 0);
  const bits = Array.from(bytes.slice(start, start + CODE_BYTES), (byte) =>
    byte.toString(2).padStart(8, "0"),
  ).join("");
  const letters = bits.match(/.{1,5}/g) ?? [];
  const code = letters.map((five) => BASE32.charAt(parseInt(five.padEnd(5, "0"), 2))).join("");
  return code.match(/.{1,4}/g)?.join("-") ?? "";
}

/** A fingerprint for people to compare, as the collector and forgectl write it. */
export function grouped(fingerprint: string): string {
  return fingerprint.match(/.{1,4}/g)?.join(" ") ?? "";
}
