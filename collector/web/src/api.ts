/** The collector's HTTP API. A failure is an ApiError whose message says what to do. */

import {
  readInvites,
  readLoginLink,
  readMintedInvite,
  readMintedToken,
  readNode,
  readNodeSnapshot,
  readProblem,
  readRelease,
  readSessions,
  readTokens,
  readWhoami,
  type FieldError,
  type HumanRole,
  type Invite,
  type InviteRequest,
  type Login,
  type LoginLink,
  type MintedInvite,
  type MintedToken,
  type MintToken,
  type Node,
  type NodeEdit,
  type NodeSnapshot,
  type Release,
  type Session,
  type Token,
  type Whoami,
} from "./wire/messages";
import { readHistory, type History } from "./wire/history";
import { Malformed, parse, type Reader } from "./wire/read";

export class ApiError extends Error {
  override name = "ApiError";
  readonly code: string;
  /** 0: no answer came at all. */
  readonly status: number;
  /** What is wrong with which part of what was sent. */
  readonly errors: readonly FieldError[];

  constructor(code: string, status: number, detail: string, errors: readonly FieldError[] = []) {
    super(detail);
    this.code = code;
    this.status = status;
    this.errors = errors;
  }
}

const TIMEOUT_MS = 15_000;

let onSignedOut: () => void = () => undefined;

/** Tells who is to know when the collector no longer accepts this browser. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

export function call(method: string, path: string, body?: object): Promise<Response> {
  return send(method, path, {
    headers: body ? { "content-type": "application/json" } : {},
    body: body ? JSON.stringify(body) : null,
  });
}

export interface Sending {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: BodyInit | null;
  readonly timeoutMs?: number;
}

/** The same with a body that is written already. */
export async function send(
  method: string,
  path: string,
  { headers, body, timeoutMs = TIMEOUT_MS }: Sending,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: { accept: "application/json", ...headers },
      body,
      cache: "no-store",
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch {
    throw new ApiError(
      "unreachable",
      0,
      "The collector does not answer. Check that it runs and that this browser can reach it.",
    );
  }
  if (response.ok) return response;
  const error = await failure(response);
  if (response.status === 401 && path !== "/api/login") onSignedOut();
  throw error;
}

async function failure(response: Response): Promise<ApiError> {
  const { status } = response;
  try {
    const { code, detail, errors } = parse(readProblem, await response.text());
    return new ApiError(code, status, detail, errors);
  } catch {
    return new ApiError("unexpected", status, `The collector answered with status ${status}.`);
  }
}

export async function read<T>(reader: Reader<T>, answer: Promise<Response>): Promise<T> {
  const response = await answer;
  try {
    return parse(reader, await response.text());
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw new ApiError(
      "malformed",
      response.status,
      `The collector's answer is not what this page expects (${error.message}). Reload the page.`,
    );
  }
}

export async function login(credentials: Login): Promise<void> {
  await call("POST", "/api/login", credentials);
}

export async function logout(): Promise<void> {
  await call("DELETE", "/api/session");
}

export function whoami(): Promise<Whoami> {
  return read(readWhoami, call("GET", "/api/whoami"));
}

export function node(id: string): Promise<Node> {
  return read(readNode, call("GET", `/api/nodes/${encodeURIComponent(id)}`));
}

export function nodeSnapshot(id: string): Promise<NodeSnapshot> {
  return read(readNodeSnapshot, call("GET", `/api/nodes/${encodeURIComponent(id)}/snapshot`));
}

export interface HistoryWanted {
  readonly from: number;
  /** null: up to now. */
  readonly to: number | null;
  readonly points: number;
}

export function nodeHistory(id: string, { from, to, points }: HistoryWanted): Promise<History> {
  const query = new URLSearchParams({ from: String(from), points: String(points) });
  if (to !== null) query.set("to", String(to));
  const path = `/api/nodes/${encodeURIComponent(id)}/history?${query.toString()}`;
  return read(readHistory, call("GET", path));
}

export function editNode(id: string, edit: NodeEdit): Promise<Node> {
  return read(readNode, call("PATCH", `/api/nodes/${encodeURIComponent(id)}`, edit));
}

export async function forgetNode(id: string): Promise<void> {
  await call("DELETE", `/api/nodes/${encodeURIComponent(id)}`);
}

export function mintToken(request: MintToken): Promise<MintedToken> {
  return read(readMintedToken, call("POST", "/api/tokens", request));
}

export async function tokens(): Promise<readonly Token[]> {
  return (await read(readTokens, call("GET", "/api/tokens"))).tokens;
}

export async function revokeToken(id: string): Promise<void> {
  await call("DELETE", `/api/tokens/${encodeURIComponent(id)}`);
}

export function mintInvite(request: InviteRequest): Promise<MintedInvite> {
  return read(readMintedInvite, call("POST", "/api/invites", request));
}

export async function invites(): Promise<readonly Invite[]> {
  return (await read(readInvites, call("GET", "/api/invites"))).invites;
}

export async function revokeInvite(id: string): Promise<void> {
  await call("DELETE", `/api/invites/${encodeURIComponent(id)}`);
}

/** The release of the agent that the collector serves; null where it serves none. */
export async function release(): Promise<Release | null> {
  try {
    return await read(readRelease, call("GET", "/api/releases/release.json"));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

/** Whether the collector has an authority of its own, which machines have to be given. */
export async function hasOwnAuthority(): Promise<boolean> {
  try {
    await call("GET", "/ca.pem");
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false;
    throw error;
  }
}

export async function sessions(): Promise<readonly Session[]> {
  return (await read(readSessions, call("GET", "/api/sessions"))).sessions;
}

export async function endSession(id: string): Promise<void> {
  await call("DELETE", `/api/sessions/${encodeURIComponent(id)}`);
}

export function loginLink(role: HumanRole): Promise<LoginLink> {
  return read(readLoginLink, call("POST", "/api/login-links", { role }));
}
