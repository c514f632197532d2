import { describe, expect, it } from "vitest";
import { NODE_ID, readFleetFrame, readMintedInvite, readProblem } from "./messages";
import { Malformed, parse } from "./read";
import { plain } from "./text";

const FACTS = {
  name: "Attic",
  os: "Debian",
  platform: "linux",
  tags: ["lab"],
  ephemeral: false,
  cpu_cores: 4,
  mem_total_bytes: 1,
  agent_version: "0.1.0",
  first_seen: 1,
  clock_offset_ms: null,
};
const CARD = { id: "a", status: "online", last_seen: 5, values: { "cpu.pct": 3.2 } };
const FRAME = { full: true, now: 9, nodes: [{ ...CARD, cpu: [1, 2], facts: FACTS }], gone: [] };

function read(frame: unknown) {
  return parse(readFleetFrame, JSON.stringify(frame));
}

describe("reading a frame", () => {
  it("reads what the collector sends", () => {
    const [card] = read(FRAME).nodes;
    expect(card?.values.get("cpu.pct")).toBe(3.2);
    expect(card?.facts?.name).toBe("Attic");
  });

  it("fills in what may be left out, and ignores what it does not know", () => {
    const [card] = read({ ...FRAME, nodes: [CARD], news: 1 }).nodes;
    expect(card?.cpu).toEqual([]);
    expect(card?.facts).toBeNull();
  });

  it("takes a card of a collector that does not know of shared tokens yet", () => {
    const [card] = read(FRAME).nodes;
    expect(card?.facts?.shares_token_of).toBeNull();
  });

  it.each([
    ["no JSON", "{", "the message should be JSON"],
    ["no object", "[]", "the message should be an object"],
    ["no now", { ...FRAME, now: undefined }, "now should be a number"],
    [
      "a foreign status",
      { ...FRAME, nodes: [{ ...CARD, status: "fine" }] },
      "nodes[0].status should be one of",
    ],
    [
      "a value of text",
      { ...FRAME, nodes: [{ ...CARD, values: { x: "1" } }] },
      "nodes[0].values.x should be a number",
    ],
    [
      "facts cut short",
      { ...FRAME, nodes: [{ ...CARD, facts: { name: "x" } }] },
      "nodes[0].facts.os should be a string",
    ],
  ])("refuses %s, and says where", (_what, frame, complaint) => {
    const json = typeof frame === "string" ? frame : JSON.stringify(frame);
    expect(() => parse(readFleetFrame, json)).toThrow(Malformed);
    expect(() => parse(readFleetFrame, json)).toThrow(complaint);
  });

  it("takes a key named like a property for what it is, a key", () => {
    const json = JSON.stringify(FRAME).replace('"cpu.pct"', '"__proto__"');
    expect(parse(readFleetFrame, json).nodes[0]?.values.get("__proto__")).toBe(3.2);
  });
});

it("cleans a problem's detail, which may quote what somebody sent", () => {
  expect(parse(readProblem, '{"code":"x","detail":"no \\u202e node"}').detail).toBe("no   node");
});

describe("text from elsewhere", () => {
  it.each([
    ["bidirectional overrides", "a\u202egpj.exe", "a gpj.exe"],
    ["control characters", "a\u0000\nb\u0085c", "a b c"],
    ["invisible characters", "a\u200bb\u2060\ufeff", "a b"],
    ["line separators", "a\u2028b", "a b"],
    ["stacked marks", "Z\u0301\u0302\u0303\u0304", "Z\u0301\u0302"],
    ["tag characters", "a\u{e0041}b", "a b"],
  ])("loses %s", (_what, text, cleaned) => {
    expect(plain(text)).toBe(cleaned);
  });

  it.each(["nas-2", "مرحبا", "日本語サーバー", "naïve café", "👩‍💻", "क्‍ष"])(
    "keeps ordinary text: %s",
    (text) => {
      expect(plain(text)).toBe(text);
    },
  );
});

it("knows which ids a node may have", () => {
  for (const id of ["nas-2", "A", "0.x_y", "a".repeat(64)]) expect(NODE_ID.test(id)).toBe(true);
  for (const id of ["", "-a", ".a", "a b", "ä", "a/b", "a".repeat(65)]) {
    expect(NODE_ID.test(id)).toBe(false);
  }
});

describe("reading a new invite", () => {
  const invite = { id: "i", status: "open", uses: 1, used: 0, node_id: null, expires_at: 1 };
  const minted = {
    invite,
    join_string: "forge_join_AQ-_x",
    url: "http://h:1",
    ca_fingerprint: null,
  };

  it("takes what a collector sends", () => {
    const read = parse(readMintedInvite, JSON.stringify(minted));
    expect(read.join_string).toBe("forge_join_AQ-_x");
    expect(read.invite.joined).toEqual([]);
  });

  it.each([
    { join_string: "forge_join_x; reboot" },
    { join_string: "forge_join_x\n" },
    { join_string: "" },
    { url: "javascript:alert(1)" },
    { url: "http://h\nrm -rf" },
    { ca_fingerprint: "ab" },
  ])("refuses what could do harm in a line: %j", (changes) => {
    const odd = JSON.stringify({ ...minted, ...changes });
    expect(() => parse(readMintedInvite, odd)).toThrow(Malformed);
  });
});
