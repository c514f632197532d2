"""Nodes in the store, and the unit that stores a push."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from msgspec import UNSET

from forge_collector.db import Tx
from forge_collector.fleet import rules
from forge_collector.history import store as history
from forge_collector.history.store import Recorded
from forge_shared import codec
from forge_shared.messages import Host, NodeEdit, Snapshot

_LISTENED_UNTIL: Final = "listened_until"


class NodeRow(NamedTuple):
    """A node as it is stored. ``live_boot_id``: the run of its agent whose snapshots are live.
    ``last``: what was kept of it when it last went offline."""

    id: str
    name: str
    tags: list[str]
    ephemeral: bool
    host: Host
    first_seen: int
    last_seen: int
    live_boot_id: str | None
    last: Recorded | None


class Stored(NamedTuple):
    """What became of a push. The last two are of a live push's boot."""

    accepted: int
    is_new_node: bool
    is_new_boot: bool
    clock_offset_ms: int | None


def ingest(
    tx: Tx, node_id: str, push: rules.Push, received_at: int, clock_offset_ms: int | None
) -> Stored:
    """Store a push; what was stored before stays as it is, and counts as a duplicate.

    ``clock_offset_ms``: collector's clock minus the node's, if the push told; only a live push
    tells it of its own boot.
    """
    is_new_node = _hear(tx, node_id, received_at)
    accepted = 0
    boot: history.Boot | None = None
    for boot_id, snapshots in _by_boot(push.snapshots).items():
        boot = history.open_boot(tx, node_id, boot_id)
        if push.is_live:
            boot = _with_offset(tx, boot, clock_offset_ms)
        rows = (
            history.Row(snapshot.seq, snapshot.ts, codec.encode(snapshot.values))
            for snapshot in snapshots
        )
        accepted += history.append(tx, boot, rows, received_at)
    if boot is None or not push.is_live:
        return Stored(accepted, is_new_node, is_new_boot=False, clock_offset_ms=None)
    snapshot = push.snapshots[0]
    if boot.is_new:
        _set_live_boot(tx, node_id, snapshot.boot_id)
    if snapshot.host is not None:
        _set_host(tx, node_id, snapshot.host)
    return Stored(accepted, is_new_node, boot.is_new, boot.clock_offset_ms)


def load(tx: Tx) -> list[NodeRow]:
    """Return every node."""
    rows = tx.execute(
        """
        SELECT id, name, tags, ephemeral, host, first_seen, last_seen, live_boot_id,
               last_ts, last_body
        FROM nodes ORDER BY id
        """
    )
    return [_node_row(*row) for row in rows]


def keep_last(tx: Tx, last_of_nodes: Mapping[str, Recorded]) -> None:
    """Keep what these nodes last told, beyond the time their history is kept."""
    tx.executemany(
        "UPDATE nodes SET last_ts = :ts, last_body = :body WHERE id = :id",
        [{"id": node_id, **last._asdict()} for node_id, last in last_of_nodes.items()],
    )


def edit(tx: Tx, node_id: str, changes: NodeEdit) -> bool:
    """Change what people may change of a node; False when there is no such node."""
    return (
        tx.execute(
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
        ).rowcount
        == 1
    )


def forget(tx: Tx, node_id: str) -> bool:
    """Remove a node and cut its history loose; False when there is no such node."""
    history.forget(tx, node_id)
    return tx.execute("DELETE FROM nodes WHERE id = :id", {"id": node_id}).rowcount == 1


def set_listened_until(tx: Tx, now_ms: int) -> None:
    """Keep until when the collector is known to have listened."""
    tx.execute(
        """
        INSERT INTO collector (key, value) VALUES (:key, :value)
        ON CONFLICT (key) DO UPDATE SET value = :value
        """,
        {"key": _LISTENED_UNTIL, "value": now_ms},
    )


def listened_until(tx: Tx) -> int | None:
    row = tx.execute(
        "SELECT value FROM collector WHERE key = :key", {"key": _LISTENED_UNTIL}
    ).fetchone()
    return None if row is None else int(row[0])


def _node_row(  # noqa: PLR0917  the columns of load's statement
    node_id: str,
    name: str,
    tags: str,
    ephemeral: int,
    host: str,
    first_seen: int,
    last_seen: int,
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
        live_boot_id,
        None if last_ts is None or last_body is None else Recorded(last_ts, last_body),
    )


def _hear(tx: Tx, node_id: str, received_at: int) -> bool:
    """Note that a node was heard; True when it never was before."""
    heard = tx.execute(
        "UPDATE nodes SET last_seen = :now WHERE id = :id", {"id": node_id, "now": received_at}
    )
    if heard.rowcount == 1:
        return False
    tx.execute(
        """
        INSERT INTO nodes (id, name, tags, ephemeral, host, first_seen, last_seen)
        VALUES (:id, :id, '[]', 0, '{}', :now, :now)
        """,
        {"id": node_id, "now": received_at},
    )
    return True


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
