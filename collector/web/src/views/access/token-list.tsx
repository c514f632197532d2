/** Tokens in a table, each of which can be revoked. */

import { revokeToken } from "../../api";
import { now } from "../../clock";
import { exactMoment, moment } from "../../format/time";
import { nodeAddress } from "../../route";
import { Failure } from "../../ui/action";
import type { Loaded } from "../../ui/load";
import type { Token } from "../../wire/messages";
import { Revoke } from "./revoke";
import { RightsTable } from "./rights-table";

interface TokenListProps {
  readonly loaded: Loaded<readonly Token[]>;
  readonly only?: (token: Token) => boolean;
  readonly empty: string;
  readonly onChange: () => void;
}

export function TokenList({ loaded, only = () => true, empty, onChange }: TokenListProps) {
  // The newest first, which are the ones one looks for.
  const found =
    loaded.state === "ready"
      ? loaded.value.filter(only).sort((a, b) => b.created_at - a.created_at)
      : [];
  if (loaded.state === "loading") return <p class="loading">Loading…</p>;
  if (loaded.state === "failed") return <Failure reason={loaded.reason} />;
  if (found.length === 0) return <p class="hint">{empty}</p>;
  return (
    <RightsTable found={found} columns={["For", "Role", "Minted"]}>
      {(token) => (
        <tr key={token.id}>
          <td>
            {token.node_id === null ? (
              <bdi>{token.name ?? "–"}</bdi>
            ) : (
              <a href={nodeAddress(token.node_id)}>{token.node_id}</a>
            )}
          </td>
          <td>{token.role}</td>
          <td data-said="minted" title={exactMoment(token.created_at)}>
            {moment(token.created_at, now.value)}
          </td>
          <td class="list-action">
            <Revoke
              word="Revoke"
              what={`the token of ${token.node_id ?? token.name ?? token.id}`}
              revoke={() => revokeToken(token.id)}
              onDone={onChange}
            />
          </td>
        </tr>
      )}
    </RightsTable>
  );
}
