"""Invites in the store, and the unit that lets a machine in. Only hashes come here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from forge_collector.access import store as access
from forge_collector.access.rules import Credential, Kind
from forge_collector.db import Tx
from forge_collector.joining import rules
from forge_collector.joining.rules import Claim, Invite
from forge_shared import identity
from forge_shared.messages import Role

_COLUMNS: Final = (
    "id, code_hash, node_id, uses, used, created_at, expires_at, used_up_at, revoked_at"
)
_JOINED_SHOWN: Final = 50


class Listed(NamedTuple):
    """An invite, and who joined with it: the newest few, newest first."""

    invite: Invite
    joined: list[str]


def add(tx: Tx, invite: Invite) -> None:
    tx.execute(
        f"""
        INSERT INTO invites ({_COLUMNS})
        VALUES (:id, :code_hash, :node_id, :uses, :used, :created_at, :expires_at, :used_up_at,
                :revoked_at)
        """,
        invite._asdict(),
    )


def listed(tx: Tx) -> list[Listed]:
    """Return every invite that is kept, newest first."""
    rows = tx.execute(f"SELECT {_COLUMNS} FROM invites ORDER BY created_at DESC, id").fetchall()
    return [Listed(invite, _joined(tx, invite.id)) for invite in map(_invite, rows)]


def revoke(tx: Tx, invite_id: str, now_ms: int) -> bool:
    """Let nobody in by this invite any more; False when there is no such invite."""
    revoked = tx.execute(
        """
        UPDATE invites SET revoked_at = :now
        WHERE id = :id AND revoked_at IS NULL AND used < uses AND expires_at > :now
        """,
        {"id": invite_id, "now": now_ms},
    )
    # One that had ended stays as it ended.
    return revoked.rowcount == 1 or _by_id(tx, invite_id) is not None


def claim(tx: Tx, claimed: Claim, now_ms: int, is_node: Callable[[Tx, str], bool]) -> Credential:
    """Let a machine in; return its token. The same claim again changes nothing.

    ``is_node``: whether a node with this id was ever heard. Raises RefusedError.
    """
    invite = _by_id(tx, identity.code_id(claimed.code))
    if invite is None or not identity.matches(claimed.code, invite.code_hash):
        raise rules.unknown()
    known = access.find(tx, claimed.token_id)
    if known is not None:
        rules.check_same(known, claimed)
        return known
    _check_never_claimed(tx, claimed)
    _use(tx, invite, now_ms)
    node_id = rules.chosen_id(
        invite, claimed, lambda one: is_node(tx, one) or access.is_of_node(tx, one)
    )
    token = Credential(
        id=claimed.token_id,
        kind=Kind.TOKEN,
        role=Role.NODE,
        node_id=node_id,
        name=None,
        secret_hash=claimed.secret_hash,
        granted_by=None,
        created_at=now_ms,
        expires_at=None,
    )
    access.add(tx, token)
    _note(tx, invite.id, token)
    return token


def forget_node(tx: Tx, node_id: str) -> bool:
    """Remove the invites that would make a machine this node again; tell whether there were any."""
    removed = tx.execute("DELETE FROM invites WHERE node_id = :node_id", {"node_id": node_id})
    return removed.rowcount > 0


def prune(tx: Tx, now_ms: int) -> None:
    """Remove invites that ended long ago, and what is known of who came with them."""
    tx.execute(
        """
        DELETE FROM invites
        WHERE expires_at <= :before OR used_up_at <= :before OR revoked_at <= :before
        """,
        {"before": now_ms - rules.KEPT_ENDED_MS},
    )
    tx.execute("DELETE FROM invite_claims WHERE invite_id NOT IN (SELECT id FROM invites)")


def _use(tx: Tx, invite: Invite, now_ms: int) -> None:
    """Count a use, if there is one left; raises RefusedError."""
    used = tx.execute(
        """
        UPDATE invites SET
            used = used + 1,
            used_up_at = CASE WHEN used + 1 >= uses THEN :now END
        WHERE id = :id AND used < uses AND revoked_at IS NULL AND expires_at > :now
        """,
        {"id": invite.id, "now": now_ms},
    )
    if used.rowcount != 1:
        rules.check_open(_by_id(tx, invite.id) or invite, now_ms)
        raise rules.unknown()


def _check_never_claimed(tx: Tx, claimed: Claim) -> None:
    """Raise RefusedError for a token that came in before, and is no longer there."""
    row = tx.execute(
        "SELECT secret_hash FROM invite_claims WHERE token_id = :token_id",
        {"token_id": claimed.token_id},
    ).fetchone()
    if row is not None:
        rules.check_hash(row[0], claimed)
        raise rules.token_gone()


def _note(tx: Tx, invite_id: str, token: Credential) -> None:
    tx.execute(
        """
        INSERT INTO invite_claims (token_id, secret_hash, invite_id, node_id, claimed_at)
        VALUES (:token_id, :secret_hash, :invite_id, :node_id, :claimed_at)
        """,
        {
            "token_id": token.id,
            "secret_hash": token.secret_hash,
            "invite_id": invite_id,
            "node_id": token.node_id,
            "claimed_at": token.created_at,
        },
    )


def _joined(tx: Tx, invite_id: str) -> list[str]:
    rows = tx.execute(
        """
        SELECT node_id FROM invite_claims WHERE invite_id = :id
        ORDER BY claimed_at DESC, token_id DESC LIMIT :most
        """,
        {"id": invite_id, "most": _JOINED_SHOWN},
    )
    return [row[0] for row in rows]


def _by_id(tx: Tx, invite_id: str) -> Invite | None:
    row = tx.execute(f"SELECT {_COLUMNS} FROM invites WHERE id = :id", {"id": invite_id}).fetchone()
    return None if row is None else _invite(row)


def _invite(row: tuple[Any, ...]) -> Invite:  # in the order of _COLUMNS
    return Invite._make(row)
