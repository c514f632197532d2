"""Nodes in the store, and the unit that stores a push."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from msgspec import UNSET

from forge_collector.access import store as access
from forge_collector.db import Tx
from forge_collector.fleet import rules
from forge_collector.history import store as history
from forge_collector.history.store import Recorded
from forge_shared import codec
from forge_shared.messages import Host, NodeEdit, Snapshot

_LISTENED_MS: Final = "listened_ms"


class NoSuchNodeError(LookupError):
    """There is no node with this id."""


class RevokedError(Exception):
    """The token was revoked after its request had begun."""


class Receipt(NamedTuple):
    """How a push came in. ``received_at``: Unix ms. ``heard_ms``: by the listening clock.
    ``clock_offset_ms``: collector's clock minus the node's, if the push told.
    ``credential_id``: of the token it came with."""

    received_at: int
    heard_ms: int
    clock_offset_ms: int | None
    credential_id: str


class NodeRow(NamedTuple):
    """A node as it is stored. ``heard_ms``: when it was last heard, by the listening clock.
    ``live_boot_id``: the run of its agent whose snapshots are live. ``last``: what was kept of it
    when it last went offline."""

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


class Stored(NamedTuple):
    """What became of a push. The others are a live push's: whether none of its boot's snapshots
    was live before, the boot's clock offset, and the values as they were stored."""

    accepted: int
    is_new_boot: bool = False
    clock_offset_ms: int | None = None
    body: bytes = b""


def ingest(tx: Tx, node_id: str, push: rules.Push, receipt: Receipt) -> Stored:
    """Store a push; what was stored before stays as it is, and counts as a duplicate.

    Raises RevokedError when the node was forgotten, and its token with it, while the push came in.
    """
    _hear(tx, node_id, receipt)
    if push.is_live:
        return _ingest_live(tx, node_id, push.snapshots[0], receipt)
    accepted = 0
    for boot_id, snapshots in _by_boot(push.snapshots).items():
        boot = history.open_boot(tx, node_id, boot_id)
        rows = [_row(snapshot) for snapshot in snapshots]
        accepted += history.append(tx, boot, rows, receipt.received_at)
    return Stored(accepted)


def _ingest_live(tx: Tx, node_id: str, snapshot: Snapshot, receipt: Receipt) -> Stored:
    boot = history.open_boot(tx, node_id, snapshot.boot_id)
    # Only a live push tells the clock of its own boot: a replay is sent under a later one.
    boot = _with_offset(tx, boot, receipt.clock_offset_ms)
    row = _row(snapshot)
    accepted = history.append(tx, boot, [row], receipt.received_at)
    is_new_boot = bool(accepted) and not boot.was_live
    if is_new_boot:
        history.set_live(tx, boot.boot)
        _set_live_boot(tx, node_id, snapshot.boot_id)
    if snapshot.host is not None:
        _set_host(tx, node_id, snapshot.host)
    return Stored(accepted, is_new_boot, boot.clock_offset_ms, row.body)


def load(tx: Tx) -> list[NodeRow]:
    """Return every node."""
    rows = tx.execute(
        """
        SELECT id, name, tags, ephemeral, host, first_seen, last_seen, heard_ms,
               live_boot_id, last_ts, last_body
        FROM nodes ORDER BY id
        """
    )
    return [_node_row(*row) for row in rows]


def count(tx: Tx) -> int:
    """Return how many nodes there are."""
    (nodes,) = tx.execute("SELECT COUNT(*) FROM nodes").fetchone()
    return int(nodes)


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


def forget(tx: Tx, node_id: str) -> None:
    """Remove a node and its tokens, and cut its history loose; raises NoSuchNodeError."""
    access.revoke_of_node(tx, node_id)
    history.forget(tx, node_id)
    forgotten = tx.execute("DELETE FROM nodes WHERE id = :id", {"id": node_id})
    if forgotten.rowcount != 1:
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


def _node_row(  # noqa: PLR0917  the columns of load's statement
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
    )


def _hear(tx: Tx, node_id: str, receipt: Receipt) -> None:
    """Note that a node was heard, and add it if it never was before."""
    heard = tx.execute(
        "UPDATE nodes SET last_seen = :received_at, heard_ms = :heard_ms WHERE id = :id",
        {"id": node_id, "received_at": receipt.received_at, "heard_ms": receipt.heard_ms},
    )
    if heard.rowcount == 1:
        return
    if not access.exists(tx, receipt.credential_id):
        raise RevokedError
    tx.execute(
        """
        INSERT INTO nodes (id, name, tags, ephemeral, host, first_seen, last_seen, heard_ms)
        VALUES (:id, :id, '[]', 0, '{}', :received_at, :received_at, :heard_ms)
        """,
        {"id": node_id, "received_at": receipt.received_at, "heard_ms": receipt.heard_ms},
    )


def _row(snapshot: Snapshot) -> history.Row:
    return history.Row(snapshot.seq, snapshot.ts, codec.encode(snapshot.values))


def _by_boot(snapshots: Iterable[Snapshot]) -> dict[str, list[Snapshot]]:
    by_boot: defaultdict[str, list[Snapshot]] = defaultdict(list)
    for snapshot in snapshots:
        by_boot[snapshot.boot_id].append(snapshot)
    return by_boot


def _with_offset(tx: Tx, boot: history.Boot, offset_ms: int | None) -> history.Boot:
    if boot.clock_offset_ms is not None or offset_ms is None:
        return boot
    history.set_clock_offset(tx, boot.boot, offset_ms)
    return boot._replace(clock_offset_ms=offset_ms)


def _set_live_boot(tx: Tx, node_id: str, boot_id: str) -> None:
    tx.execute(
        "UPDATE nodes SET live_boot_id = :boot_id WHERE id = :id",
        {"id": node_id, "boot_id": boot_id},
    )


def _set_host(tx: Tx, node_id: str, host: Host) -> None:
    tx.execute(
        "UPDATE nodes SET host = :host WHERE id = :id",
        {"id": node_id, "host": codec.encode(host).decode()},
    )
