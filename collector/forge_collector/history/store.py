"""Boots and their snapshots in the store.

Fresh snapshots are rows, appended as they arrive and deduplicated by (boot, seq). Sealed columnar
chunks will stand beside them; whoever reads history asks here and need not know which.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from forge_collector.db import Tx
from forge_collector.history import rules


class Boot(NamedTuple):
    """One run of an agent. ``boot`` stands for (node_id, boot_id) in the store. ``was_live``:
    whether a snapshot of it was ever pushed live; one that was only replayed may yet go live."""

    boot: int
    clock_offset_ms: int | None
    was_live: bool


class Row(NamedTuple):
    """A snapshot as it is stored. ``ts``: as the node sent it; ``body``: its values, JSON."""

    seq: int
    ts: int
    body: bytes


class Recorded(NamedTuple):
    """A stored snapshot as it is read. ``ts``: by the collector's clock."""

    ts: int
    body: bytes


def open_boot(tx: Tx, node_id: str, boot_id: str) -> Boot:
    """Return the boot, made now if it was not known."""
    row = tx.execute(
        """
        SELECT boot, clock_offset_ms, was_live FROM boots
        WHERE node_id = :node_id AND boot_id = :boot_id
        """,
        {"node_id": node_id, "boot_id": boot_id},
    ).fetchone()
    if row is not None:
        return Boot(row[0], row[1], was_live=bool(row[2]))
    row = tx.execute(
        """
        INSERT INTO boots (boot, node_id, boot_id, was_live)
        SELECT COALESCE(MAX(boot), 0) + 1, :node_id, :boot_id, 0 FROM boots
        RETURNING boot
        """,
        {"node_id": node_id, "boot_id": boot_id},
    ).fetchone()
    return Boot(row[0], None, was_live=False)


def set_live(tx: Tx, boot: int) -> None:
    tx.execute("UPDATE boots SET was_live = 1 WHERE boot = :boot", {"boot": boot})


def set_clock_offset(tx: Tx, boot: int, offset_ms: int) -> None:
    """Keep a boot's first measured clock offset; later ones change nothing."""
    tx.execute(
        """
        UPDATE boots SET clock_offset_ms = :offset_ms
        WHERE boot = :boot AND clock_offset_ms IS NULL
        """,
        {"boot": boot, "offset_ms": offset_ms},
    )


def append(tx: Tx, boot: Boot, rows: Iterable[Row], received_at: int) -> int:
    """Store what is new of these snapshots; return how many were."""
    new = 0
    for row in rows:
        new += tx.execute(
            """
            INSERT INTO snapshots (boot, seq, ts, observed_at, body)
            VALUES (:boot, :seq, :ts, :observed_at, :body)
            ON CONFLICT (boot, seq) DO NOTHING
            """,
            {
                "boot": boot.boot,
                "seq": row.seq,
                "ts": row.ts,
                "observed_at": rules.observed_at(row.ts, boot.clock_offset_ms, received_at),
                "body": row.body,
            },
        ).rowcount
    return new


def recent(tx: Tx, node_id: str, points: int) -> list[Recorded]:
    """Return a node's most recent snapshots of all its boots, oldest first."""
    boots = tx.execute(
        "SELECT boot, clock_offset_ms FROM boots WHERE node_id = :node_id", {"node_id": node_id}
    ).fetchall()
    found: list[Recorded] = []
    for boot, offset_ms in boots:
        found += _last_of_boot(tx, boot, offset_ms, points)
    found.sort(key=lambda recorded: recorded.ts)
    return found[-points:]


class LastOfBoot(NamedTuple):
    """Where a boot stands: its newest seq, and its last snapshots, oldest first."""

    seq: int
    clock_offset_ms: int | None
    recorded: list[Recorded]


def last_of_boot(tx: Tx, node_id: str, boot_id: str, points: int) -> LastOfBoot | None:
    """Return where a boot stands, or None when nothing of it is left."""
    row = tx.execute(
        """
        SELECT boot, clock_offset_ms, (SELECT MAX(seq) FROM snapshots WHERE boot = boots.boot)
        FROM boots WHERE node_id = :node_id AND boot_id = :boot_id
        """,
        {"node_id": node_id, "boot_id": boot_id},
    ).fetchone()
    if row is None or row[2] is None:
        return None
    boot, offset_ms, seq = row
    return LastOfBoot(seq, offset_ms, _last_of_boot(tx, boot, offset_ms, points))


def forget(tx: Tx, node_id: str) -> None:
    """Cut a node's boots loose; ``prune`` then removes their snapshots bit by bit."""
    tx.execute("UPDATE boots SET node_id = NULL WHERE node_id = :node_id", {"node_id": node_id})


def prune(tx: Tx, before_ms: int, limit: int) -> int:
    """Remove up to ``limit`` snapshots that are too old or belong to no node; return how many."""
    old = tx.execute(
        """
        DELETE FROM snapshots WHERE (boot, seq) IN (
            SELECT boot, seq FROM snapshots WHERE observed_at < :before_ms
            ORDER BY observed_at LIMIT :limit
        )
        """,
        {"before_ms": before_ms, "limit": limit},
    ).rowcount
    orphaned = tx.execute(
        """
        DELETE FROM snapshots WHERE (boot, seq) IN (
            SELECT boot, seq FROM snapshots
            WHERE boot IN (SELECT boot FROM boots WHERE node_id IS NULL)
            LIMIT :limit
        )
        """,
        {"limit": limit - old},
    ).rowcount
    return old + orphaned


def prune_boots(tx: Tx) -> None:
    """Remove boots of which no snapshot is left."""
    tx.execute(
        """
        DELETE FROM boots
        WHERE NOT EXISTS (SELECT 1 FROM snapshots WHERE snapshots.boot = boots.boot)
        """
    )


def _last_of_boot(tx: Tx, boot: int, offset_ms: int | None, points: int) -> list[Recorded]:
    rows = tx.execute(
        "SELECT ts, body FROM snapshots WHERE boot = :boot ORDER BY seq DESC LIMIT :points",
        {"boot": boot, "points": points},
    ).fetchall()
    return [Recorded(rules.corrected(ts, offset_ms), body) for ts, body in reversed(rows)]
