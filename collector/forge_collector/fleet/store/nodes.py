"""Nodes: one row each, and the clock their silence is measured with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from msgspec import UNSET

from forge_collector.access import store as access
from forge_collector.db import Tx
from forge_collector.history import store as history
from forge_collector.history.store import Recorded
from forge_collector.joining import store as joining
from forge_shared import codec
from forge_shared.messages import Host, NodeEdit

_LISTENED_MS: Final = "listened_ms"
_COLUMNS: Final = (
    "id, name, tags, ephemeral, host, first_seen, last_seen, heard_ms, live_boot_id, last_ts, "
    "last_body, sibling_of"
)


class NoSuchNodeError(LookupError):
    """There is no node with this id."""


class NodeRow(NamedTuple):
    """A node as it is stored. ``heard_ms``: when it was last heard, by the listening clock.
    ``live_boot_id``: the run of its agent whose snapshots are live. ``last``: what was kept of it
    when it last went offline. ``sibling_of``: the node whose token it pushes with, where that is
    another."""

    id: str
    name: str
    tags: list[str]
    ephemeral: bool
    host: Host
    first_seen: int
    last_seen: int
    heard_ms: int
    live_boot_id: str | None
    last: Recorded | None
    sibling_of: str | None = None


def load(tx: Tx) -> list[NodeRow]:
    """Return every node."""
    return [_node_row(*row) for row in tx.execute(f"SELECT {_COLUMNS} FROM nodes ORDER BY id")]


def find(tx: Tx, node_id: str) -> NodeRow | None:
    """Return a node, if it was ever heard."""
    row = tx.execute(f"SELECT {_COLUMNS} FROM nodes WHERE id = :id", {"id": node_id}).fetchone()
    return None if row is None else _node_row(*row)


def found(tx: Tx, node_id: str) -> NodeRow:
    """Return a node; raises NoSuchNodeError."""
    row = find(tx, node_id)
    if row is None:
        raise NoSuchNodeError(node_id)
    return row


def siblings_of(tx: Tx, node_id: str) -> list[NodeRow]:
    """Return the nodes that push with this node's token."""
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM nodes WHERE sibling_of = :id ORDER BY id", {"id": node_id}
    )
    return [_node_row(*row) for row in rows]


def exists(tx: Tx, node_id: str) -> bool:
    """Tell whether this node was ever heard, and not forgotten."""
    row = tx.execute("SELECT 1 FROM nodes WHERE id = :id", {"id": node_id}).fetchone()
    return row is not None


def count(tx: Tx) -> int:
    """Return how many nodes there are."""
    (nodes,) = tx.execute("SELECT COUNT(*) FROM nodes").fetchone()
    return int(nodes)


def add(tx: Tx, node: NodeRow) -> None:
    tx.execute(
        """
        INSERT INTO nodes (id, name, tags, ephemeral, host, first_seen, last_seen, heard_ms,
                           live_boot_id, sibling_of)
        VALUES (:id, :name, :tags, :ephemeral, :host, :first_seen, :last_seen, :heard_ms,
                :live_boot_id, :sibling_of)
        """,
        {
            "id": node.id,
            "name": node.name,
            "tags": codec.encode(node.tags).decode(),
            "ephemeral": int(node.ephemeral),
            "host": codec.encode(node.host).decode(),
            "first_seen": node.first_seen,
            "last_seen": node.last_seen,
            "heard_ms": node.heard_ms,
            "live_boot_id": node.live_boot_id,
            "sibling_of": node.sibling_of,
        },
    )


def hear_live_boot(tx: Tx, node_id: str, boot_id: str, received_at: int, heard_ms: int) -> bool:
    """Note that a node was heard, if this is the boot of it that is live; tell whether it is."""
    heard = tx.execute(
        """
        UPDATE nodes SET last_seen = :received_at, heard_ms = :heard_ms
        WHERE id = :id AND live_boot_id = :boot_id
        """,
        {"id": node_id, "boot_id": boot_id, "received_at": received_at, "heard_ms": heard_ms},
    )
    return heard.rowcount == 1


def hear(tx: Tx, node_id: str, received_at: int, heard_ms: int) -> bool:
    """Note that a node was heard; False when there is no such node."""
    heard = tx.execute(
        "UPDATE nodes SET last_seen = :received_at, heard_ms = :heard_ms WHERE id = :id",
        {"id": node_id, "received_at": received_at, "heard_ms": heard_ms},
    )
    return heard.rowcount == 1


def set_live_boot(tx: Tx, node_id: str, boot_id: str) -> None:
    tx.execute(
        "UPDATE nodes SET live_boot_id = :boot_id WHERE id = :id",
        {"id": node_id, "boot_id": boot_id},
    )


def set_host(tx: Tx, node_id: str, host: Host) -> None:
    tx.execute(
        "UPDATE nodes SET host = :host WHERE id = :id",
        {"id": node_id, "host": codec.encode(host).decode()},
    )


def set_on_its_own(tx: Tx, node_id: str) -> None:
    """From now on a node is no sibling of another: it has a token of its own, or the other is
    gone."""
    tx.execute("UPDATE nodes SET sibling_of = NULL WHERE id = :id", {"id": node_id})
    history.disown(tx, node_id)


def keep_last(tx: Tx, last_of_nodes: Mapping[str, Recorded]) -> None:
    """Keep what these nodes last told, beyond the time their history is kept."""
    tx.executemany(
        "UPDATE nodes SET last_ts = :ts, last_body = :body WHERE id = :id",
        [{"id": node_id, **last._asdict()} for node_id, last in last_of_nodes.items()],
    )


def edit(tx: Tx, node_id: str, changes: NodeEdit) -> None:
    """Change what people may change of a node; raises NoSuchNodeError."""
    edited = tx.execute(
        """
        UPDATE nodes SET
            name = COALESCE(:name, name),
            tags = COALESCE(:tags, tags),
            ephemeral = COALESCE(:ephemeral, ephemeral)
        WHERE id = :id
        """,
        {
            "id": node_id,
            "name": None if changes.name is UNSET else changes.name,
            "tags": None if changes.tags is UNSET else codec.encode(changes.tags).decode(),
            "ephemeral": None if changes.ephemeral is UNSET else int(changes.ephemeral),
        },
    )
    if edited.rowcount != 1:
        raise NoSuchNodeError(node_id)


def forget(tx: Tx, node_id: str, *, is_known_elsewhere: bool = False) -> None:
    """Remove a node, its tokens and invites, and cut its history loose. Whoever has a token need
    not have pushed. Raises NoSuchNodeError when there is nothing of it, nor elsewhere."""
    had_tokens = access.revoke_of_node(tx, node_id)
    had_invites = joining.forget_node(tx, node_id)
    history.forget(tx, node_id)
    for sibling in siblings_of(tx, node_id):
        set_on_its_own(tx, sibling.id)
    forgotten = tx.execute("DELETE FROM nodes WHERE id = :id", {"id": node_id})
    if not (forgotten.rowcount or had_tokens or had_invites or is_known_elsewhere):
        raise NoSuchNodeError(node_id)


def set_listened(tx: Tx, listened_ms: int) -> None:
    """Keep how far the listening clock has come."""
    tx.execute(
        """
        INSERT INTO collector (key, value) VALUES (:key, :value)
        ON CONFLICT (key) DO UPDATE SET value = :value
        """,
        {"key": _LISTENED_MS, "value": listened_ms},
    )


def listened(tx: Tx) -> int:
    """Return how far the listening clock is known to have come, in ms."""
    row = tx.execute(
        "SELECT value FROM collector WHERE key = :key", {"key": _LISTENED_MS}
    ).fetchone()
    return 0 if row is None else int(row[0])


def _node_row(  # noqa: PLR0917  in the order of _COLUMNS
    node_id: str,
    name: str,
    tags: str,
    ephemeral: int,
    host: str,
    first_seen: int,
    last_seen: int,
    heard_ms: int,
    live_boot_id: str | None,
    last_ts: int | None,
    last_body: bytes | None,
    sibling_of: str | None,
) -> NodeRow:
    return NodeRow(
        node_id,
        name,
        codec.decode(tags.encode(), list[str]),
        bool(ephemeral),
        codec.decode(host.encode(), Host),
        first_seen,
        last_seen,
        heard_ms,
        live_boot_id,
        None if last_ts is None or last_body is None else Recorded(last_ts, last_body),
        sibling_of,
    )
