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

# The current stretch of listening, and where the one before it ended.
_LISTENED_SINCE: Final = "listened_since"
_LISTENED_UNTIL: Final = "listened_until"
_LISTENED_BEFORE: Final = "listened_before"
_SETTLED_MS: Final = 60_000  # whoever is silent for so long at the usual interval is offline


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
    """What became of a push. The last two are of a live push's boot, which is new when none of
    its snapshots was live before, whether or not some were replayed."""

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
    is_new_boot = bool(accepted) and not boot.was_live
    if is_new_boot:
        history.set_live(tx, boot.boot)
        _set_live_boot(tx, node_id, snapshot.boot_id)
    if snapshot.host is not None:
        _set_host(tx, node_id, snapshot.host)
    return Stored(accepted, is_new_node, is_new_boot, boot.clock_offset_ms)


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


def begin_listening(tx: Tx) -> None:
    """Begin a new stretch of listening, from the next ``set_listened_until`` on."""
    before = listened_until(tx)
    tx.execute(
        "DELETE FROM collector WHERE key IN (:since, :until)",
        {"since": _LISTENED_SINCE, "until": _LISTENED_UNTIL},
    )
    if before is not None:
        _note(tx, _LISTENED_BEFORE, before)


def set_listened_until(tx: Tx, now_ms: int) -> None:
    """Keep until when the collector is known to have listened."""
    tx.execute(
        "INSERT INTO collector (key, value) VALUES (:key, :value) ON CONFLICT (key) DO NOTHING",
        {"key": _LISTENED_SINCE, "value": now_ms},
    )
    _note(tx, _LISTENED_UNTIL, now_ms)


def listened_until(tx: Tx) -> int | None:
    """Return when the collector stopped listening, None when it never did.

    A stretch so short that the agents may not have come back in it counts as if it had followed
    the one before without a gap: the time between them was the collector's silence, not theirs.
    """
    noted: dict[str, int] = dict(tx.execute("SELECT key, value FROM collector").fetchall())
    before, until = noted.get(_LISTENED_BEFORE), noted.get(_LISTENED_UNTIL)
    if until is None:
        return before
    stretch_ms = until - noted[_LISTENED_SINCE]
    if before is None or stretch_ms >= _SETTLED_MS:
        return until
    return before + max(0, stretch_ms)


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


def _note(tx: Tx, key: str, value: int) -> None:
    tx.execute(
        """
        INSERT INTO collector (key, value) VALUES (:key, :value)
        ON CONFLICT (key) DO UPDATE SET value = :value
        """,
        {"key": key, "value": value},
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
