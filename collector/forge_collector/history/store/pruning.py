"""Pruning: what is too old, or belongs to no node any more, leaves bit by bit."""

from __future__ import annotations

from forge_collector.db import Tx
from forge_collector.history import rules


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


def prune_chunks(tx: Tx, before_ms: int, limit: int) -> int:
    """Remove up to ``limit`` chunks that are too old as a whole, or belong to no node."""
    removed = 0
    for span_ms in rules.SPANS_MS:
        removed += tx.execute(
            """
            DELETE FROM chunks WHERE (boot, span_ms, begins) IN (
                SELECT boot, span_ms, begins FROM chunks
                WHERE span_ms = :span_ms AND begins <= :before_ms LIMIT :limit
            )
            """,
            {
                "span_ms": span_ms,
                "before_ms": before_ms - span_ms,
                "limit": max(0, limit - removed),
            },
        ).rowcount
    return removed + _prune_orphaned(tx, "chunks", limit - removed)


def prune_rollups(tx: Tx, before_ms: int, limit: int) -> int:
    """Remove up to ``limit`` rollups that are too old, or belong to no node."""
    removed = tx.execute(
        """
        DELETE FROM rollups WHERE (boot, span_ms, begins) IN (
            SELECT boot, span_ms, begins FROM rollups
            WHERE begins + span_ms <= :before_ms AND begins < :before_ms LIMIT :limit
        )
        """,
        {"before_ms": before_ms, "limit": limit},
    ).rowcount
    return removed + _prune_orphaned(tx, "rollups", limit - removed)


def prune_boots(tx: Tx) -> None:
    """Remove boots of which nothing is left."""
    tx.execute(
        """
        DELETE FROM boots
        WHERE NOT EXISTS (SELECT 1 FROM snapshots WHERE snapshots.boot = boots.boot)
          AND NOT EXISTS (SELECT 1 FROM chunks WHERE chunks.boot = boots.boot)
          AND NOT EXISTS (SELECT 1 FROM rollups WHERE rollups.boot = boots.boot)
        """
    )


def _prune_orphaned(tx: Tx, table: str, limit: int) -> int:
    return tx.execute(
        f"""
        DELETE FROM {table} WHERE (boot, span_ms, begins) IN (
            SELECT boot, span_ms, begins FROM {table}
            WHERE boot IN (SELECT boot FROM boots WHERE node_id IS NULL) LIMIT :limit
        )
        """,
        {"limit": max(0, limit)},  # a key may stand for several rows: one that was damaged, say
    ).rowcount
