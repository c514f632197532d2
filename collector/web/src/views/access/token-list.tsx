/** Tokens in a table, each of which can be revoked. */

import { useState } from "preact/hooks";
import { revokeToken } from "../../api";
import { now } from "../../clock";
import { exactMoment, moment } from "../../format/time";
import { count } from "../../format/units";
import { nodeAddress } from "../../route";
import { Failure } from "../../ui/action";
import type { Loaded } from "../../ui/load";
import type { Token } from "../../wire/messages";
import { Revoke } from "./revoke";

interface TokenListProps {
  readonly loaded: Loaded<readonly Token[]>;
  readonly only?: (token: Token) => boolean;
  readonly empty: string;
  readonly onChange: () => void;
}

/** The newest ones, which are the ones one looks for. */
const FIRST = 50;

export function TokenList({ loaded, only = () => true, empty, onChange }: TokenListProps) {
  const [all, setAll] = useState(false);
  if (loaded.state === "loading") return <p class="loading">Loading…</p>;
  if (loaded.state === "failed") return <Failure reason={loaded.reason} />;
  const found = loaded.value.filter(only).sort((a, b) => b.created_at - a.created_at);
  const shown = all ? found : found.slice(0, FIRST);
  if (found.length === 0) return <p class="hint">{empty}</p>;
  return (
    <div class="list-box">
      <table class="list">
        <thead>
          <tr>
            <th scope="col">For</th>
            <th scope="col">Role</th>
            <th scope="col">Minted</th>
            <th scope="col">
              <span class="unseen">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((token) => (
            <tr key={token.id}>
              <td>
                {token.node_id === null ? (
                  <bdi>{token.name ?? "–"}</bdi>
                ) : (
                  <a href={nodeAddress(token.node_id)}>{token.node_id}</a>
                )}
              </td>
              <td>{token.role}</td>
              <td title={exactMoment(token.created_at)}>{moment(token.created_at, now.value)}</td>
              <td class="list-action">
                <Revoke
                  word="Revoke"
                  what={`the token of ${token.node_id ?? token.name ?? token.id}`}
                  revoke={() => revokeToken(token.id)}
                  onDone={onChange}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown.length < found.length && (
        <button
          type="button"
          class="button list-more"
          onClick={() => {
            setAll(true);
          }}
        >
          Show all {count(found.length)}
        </button>
      )}
    </div>
  );
}
