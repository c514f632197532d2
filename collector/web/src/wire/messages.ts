/**
 * The messages of shared/forge_shared/messages.py that the page speaks, with a reader for each
 * one it receives. Times are Unix milliseconds.
 */

import {
  boolean,
  defaulting,
  exact,
  list,
  mapping,
  matching,
  nullable,
  number,
  oneOf,
  record,
  text,
  type Reader,
} from "./read";

export type Values = ReadonlyMap<string, number>;

const readValues = mapping(number);

// --- the fleet --------------------------------------------------------------------------------

export const STATUSES = ["online", "degraded", "offline"] as const;
export type Status = (typeof STATUSES)[number];

const readStatus = oneOf(...STATUSES);

/** The part of a card that seldom changes. */
export interface CardFacts {
  readonly name: string;
  readonly os: string;
  readonly platform: string;
  readonly tags: readonly string[];
  readonly ephemeral: boolean;
  readonly cpu_cores: number;
  readonly mem_total_bytes: number;
  readonly agent_version: string;
  readonly first_seen: number;
  /** The collector's clock minus the node's; null unless it is large enough to matter. */
  readonly clock_offset_ms: number | null;
  /** The node whose token several machines use, of which this is one; null: nobody else does. */
  readonly shares_token_of: string | null;
}

/** A node as the fleet stream tells it. */
export interface Card {
  readonly id: string;
  readonly status: Status;
  readonly last_seen: number;
  readonly values: Values;
  /** The sparkline's points that we do not have yet, oldest first. */
  readonly cpu: readonly number[];
  /** How many it works on. */
  readonly jobs: number;
  /** null: keep the facts you had. */
  readonly facts: CardFacts | null;
}

/** One event of the fleet stream. */
export interface FleetFrame {
  /** Forget what you had. */
  readonly full: boolean;
  /** The collector's clock. */
  readonly now: number;
  readonly nodes: readonly Card[];
  readonly gone: readonly string[];
}

const readCardFacts = record<CardFacts>({
  name: text,
  os: text,
  platform: text,
  tags: list(text),
  ephemeral: boolean,
  cpu_cores: number,
  mem_total_bytes: number,
  agent_version: text,
  first_seen: number,
  clock_offset_ms: nullable(number),
  shares_token_of: defaulting<string | null>(nullable(exact), null),
});

const readCard = record<Card>({
  id: exact,
  status: readStatus,
  last_seen: number,
  values: readValues,
  cpu: defaulting(list(number), []),
  jobs: defaulting(number, 0),
  facts: defaulting<CardFacts | null>(nullable(readCardFacts), null),
});

export const readFleetFrame: Reader<FleetFrame> = record<FleetFrame>({
  full: boolean,
  now: number,
  nodes: list(readCard),
  gone: list(exact),
});

/** Slow-changing facts of a machine; empty or 0 where unknown. */
export interface Host {
  readonly hostname: string;
  readonly os: string;
  readonly platform: string;
  readonly kernel: string;
  readonly arch: string;
  readonly cpu_model: string;
  readonly cpu_cores: number;
  readonly mem_total_bytes: number;
  readonly boot_time: number;
  readonly agent_version: string;
}

/** A node as the API tells it, less what the page does not use. */
export interface Node {
  readonly id: string;
  readonly name: string;
  readonly tags: readonly string[];
  readonly ephemeral: boolean;
  readonly host: Host;
}

export const readNode: Reader<Node> = record<Node>({
  id: exact,
  name: text,
  tags: list(text),
  ephemeral: boolean,
  host: record<Host>({
    hostname: defaulting(text, ""),
    os: defaulting(text, ""),
    platform: defaulting(text, ""),
    kernel: defaulting(text, ""),
    arch: defaulting(text, ""),
    cpu_model: defaulting(text, ""),
    cpu_cores: defaulting(number, 0),
    mem_total_bytes: defaulting(number, 0),
    boot_time: defaulting(number, 0),
    agent_version: defaulting(text, ""),
  }),
});

/** What people may change of a node; what is left out stays as it is. */
export interface NodeEdit {
  readonly name?: string;
  readonly tags?: readonly string[];
  readonly ephemeral?: boolean;
}

export interface Point {
  readonly ts: number;
  readonly values: Values;
}

export const readPoint: Reader<Point> = record<Point>({ ts: number, values: readValues });

/** A node's most recent points, oldest first. */
export interface NodeSnapshot {
  readonly node_id: string;
  readonly points: readonly Point[];
}

export const readNodeSnapshot: Reader<NodeSnapshot> = record<NodeSnapshot>({
  node_id: exact,
  points: list(readPoint),
});

// --- access -----------------------------------------------------------------------------------

export type Role = "node" | HumanRole;
export const HUMAN_ROLES = ["submitter", "viewer", "admin"] as const;
export type HumanRole = (typeof HUMAN_ROLES)[number];

const readRole = oneOf("node", ...HUMAN_ROLES);
const readHumanRole = oneOf(...HUMAN_ROLES);

export interface Whoami {
  readonly role: Role;
  readonly local_node_id: string | null;
  readonly version: string;
}

export const readWhoami: Reader<Whoami> = record<Whoami>({
  role: readRole,
  local_node_id: nullable(exact),
  version: text,
});

export type Login = { readonly code: string } | { readonly secret: string };

export type MintToken =
  | { readonly node_id: string }
  | { readonly role: HumanRole; readonly name: string };

/** A new token. This is the only time its text is shown. */
export interface MintedToken {
  readonly id: string;
  readonly token: string;
}

export const readMintedToken: Reader<MintedToken> = record<MintedToken>({
  id: exact,
  token: exact,
});

/** A token as it is listed: without its secret, which is not kept. */
export interface Token {
  readonly id: string;
  readonly role: Role;
  readonly node_id: string | null;
  readonly name: string | null;
  readonly created_at: number;
}

export const readTokens: Reader<{ tokens: readonly Token[] }> = record({
  tokens: list(
    record<Token>({
      id: exact,
      role: readRole,
      node_id: nullable(exact),
      name: nullable(text),
      created_at: number,
    }),
  ),
});

/** A signed-in browser. */
export interface Session {
  readonly id: string;
  readonly role: HumanRole;
  readonly created_at: number;
  readonly expires_at: number;
  readonly current: boolean;
}

export const readSessions: Reader<{ sessions: readonly Session[] }> = record({
  sessions: list(
    record<Session>({
      id: exact,
      role: readHumanRole,
      created_at: number,
      expires_at: number,
      current: boolean,
    }),
  ),
});

/** A link that signs one browser in, once, before `expires_at`. */
export interface LoginLink {
  readonly url: string;
  readonly role: HumanRole;
  readonly expires_at: number;
}

export const readLoginLink: Reader<LoginLink> = record<LoginLink>({
  url: exact,
  role: readHumanRole,
  expires_at: number,
});

// --- joining ----------------------------------------------------------------------------------

/** For how many machines, for how long, and as which node, if that is settled. */
export interface InviteRequest {
  readonly uses: number;
  readonly expires_in_s: number;
  readonly node_id: string | null;
}

export type InviteStatus = "open" | "used_up" | "expired" | "revoked";

/** An invite as it is listed: without its code, which is not kept. */
export interface Invite {
  readonly id: string;
  readonly status: InviteStatus;
  readonly uses: number;
  readonly used: number;
  readonly node_id: string | null;
  readonly expires_at: number;
  /** The ids of the machines that joined with it, the newest first. */
  readonly joined: readonly string[];
}

const readInvite = record<Invite>({
  id: exact,
  status: oneOf("open", "used_up", "expired", "revoked"),
  uses: number,
  used: number,
  node_id: nullable(exact),
  expires_at: number,
  joined: defaulting(list(exact), []),
});

export const readInvites: Reader<{ invites: readonly Invite[] }> = record({
  invites: list(readInvite),
});

/** A new invite. This is the only time its join string is shown. */
export interface MintedInvite {
  readonly invite: Invite;
  /** Of letters, digits, "_" and "-": no shell reads anything into it. */
  readonly join_string: string;
  /** The collector's address, as the machines that join will call it. */
  readonly url: string;
  /** SHA-256 of its authority's certificate, in hex; null where it has none of its own. */
  readonly ca_fingerprint: string | null;
}

export const readMintedInvite: Reader<MintedInvite> = record<MintedInvite>({
  invite: readInvite,
  join_string: matching(/^[A-Za-z0-9_-]+$/, "a join string"),
  url: matching(/^https?:\/\/[\x21-\x7e]+$/, "an address"),
  ca_fingerprint: nullable(matching(/^[0-9a-f]{64}$/, "a fingerprint")),
});

/** One file of a release of the agent. */
export interface ReleaseFile {
  readonly name: string;
  readonly platform: string;
  /** "folder": an archive of what gets installed. */
  readonly kind: string;
  readonly size: number;
  readonly sha256: string;
}

export interface Release {
  readonly version: string;
  readonly files: readonly ReleaseFile[];
}

export const readRelease: Reader<Release> = record<Release>({
  version: text,
  files: list(
    record<ReleaseFile>({
      name: exact,
      platform: exact,
      kind: exact,
      size: number,
      sha256: exact,
    }),
  ),
});

// --- problems ---------------------------------------------------------------------------------

/** RFC 9457: `code` is stable, `detail` says what to do. */
export interface Problem {
  readonly code: string;
  readonly detail: string;
  /** What is wrong with which field, where it is one that is wrong. */
  readonly errors: readonly FieldError[];
}

export interface FieldError {
  readonly field: string;
  readonly detail: string;
}

export const readProblem: Reader<Problem> = record<Problem>({
  code: exact,
  detail: text,
  errors: defaulting(list(record<FieldError>({ field: text, detail: text })), []),
});

/** The ids that a node may have: NODE_ID_PATTERN of forge_shared/names.py. */
export const NODE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
export const TAG = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,31}$/;
