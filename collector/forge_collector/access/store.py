"""Credentials in the store. Only hashes of secrets come here."""

from __future__ import annotations

from typing import Any

from forge_collector.access.rules import ADMIN_SECRET_ID, Credential, Kind
from forge_collector.db import Tx
from forge_shared import identity
from forge_shared.messages import Role

_COLUMNS = "id, kind, role, node_id, name, secret_hash, granted_by, created_at, expires_at"


def add(tx: Tx, credential: Credential) -> None:
    tx.execute(
        f"""
        INSERT INTO credentials ({_COLUMNS})
        VALUES (:id, :kind, :role, :node_id, :name, :secret_hash, :granted_by, :created_at,
                :expires_at)
        """,
        credential._asdict(),
    )


def add_granted(tx: Tx, credential: Credential) -> bool:
    """Add a credential unless what grants it was revoked meanwhile; False when it was."""
    granter = tx.execute(
        "SELECT 1 FROM credentials WHERE id = :id", {"id": credential.granted_by}
    ).fetchone()
    if granter is None and credential.granted_by not in {None, ADMIN_SECRET_ID}:
        return False
    add(tx, credential)
    return True


def load(tx: Tx) -> list[Credential]:
    """Return every token and session, oldest first."""
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM credentials WHERE kind <> :code ORDER BY created_at, id",
        {"code": Kind.CODE},
    )
    return [_credential(row) for row in rows]


def revoke(tx: Tx, credential_id: str, kind: Kind) -> list[str]:
    """Remove a credential and what it granted; return the ids removed, none if it is unknown."""
    removed = tx.execute(
        "DELETE FROM credentials WHERE id = :id AND kind = :kind",
        {"id": credential_id, "kind": kind},
    )
    if removed.rowcount != 1:
        return []
    granted = tx.execute(
        "DELETE FROM credentials WHERE granted_by = :id RETURNING id", {"id": credential_id}
    ).fetchall()
    return [credential_id, *(row[0] for row in granted)]


def exists(tx: Tx, credential_id: str) -> bool:
    row = tx.execute("SELECT 1 FROM credentials WHERE id = :id", {"id": credential_id}).fetchone()
    return row is not None


def find(tx: Tx, credential_id: str) -> Credential | None:
    row = tx.execute(
        f"SELECT {_COLUMNS} FROM credentials WHERE id = :id", {"id": credential_id}
    ).fetchone()
    return None if row is None else _credential(row)


def is_of_node(tx: Tx, node_id: str) -> bool:
    """Tell whether there is a token for this node."""
    row = tx.execute(
        "SELECT 1 FROM credentials WHERE node_id = :node_id LIMIT 1", {"node_id": node_id}
    ).fetchone()
    return row is not None


def revoke_of_node(tx: Tx, node_id: str) -> bool:
    """Remove a node's tokens; tell whether there were any."""
    revoked = tx.execute("DELETE FROM credentials WHERE node_id = :node_id", {"node_id": node_id})
    return revoked.rowcount > 0


def redeem_code(tx: Tx, code: str, now_ms: int) -> Credential | None:
    """Use a one-time code up; None when there is no such code, or it was used, or it expired."""
    row = tx.execute(
        f"SELECT {_COLUMNS} FROM credentials WHERE id = :id AND kind = :kind",
        {"id": identity.code_id(code), "kind": Kind.CODE},
    ).fetchone()
    if row is None:
        return None
    credential = _credential(row)
    used = tx.execute(
        "DELETE FROM credentials WHERE id = :id AND kind = :kind",
        {"id": credential.id, "kind": Kind.CODE},
    )
    proven = identity.matches(code, credential.secret_hash)
    if used.rowcount != 1 or not proven or credential.is_expired(now_ms):
        return None
    return credential


def prune_expired(tx: Tx, now_ms: int) -> None:
    tx.execute("DELETE FROM credentials WHERE expires_at <= :now", {"now": now_ms})


def _credential(row: tuple[Any, ...]) -> Credential:  # in the order of _COLUMNS
    credential = Credential._make(row)
    return credential._replace(kind=Kind(credential.kind), role=Role(credential.role))
