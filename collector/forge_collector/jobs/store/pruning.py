"""Retention: finished jobs leave after some time, with all that belongs to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from forge_collector.db import Tx, Value
from forge_collector.jobs import rules
from forge_shared.job_messages import JobStatus


class Gone(NamedTuple):
    """A job that is no more. ``status``: its last."""

    job_id: str
    status: JobStatus
    submitted_by: str


def prune(tx: Tx, before_ms: int, limit: int = 100) -> list[Gone]:
    """Remove up to ``limit`` jobs that finished before then, and return them; of their files only
    the bytes are left."""
    gone: list[Gone] = []
    for status in sorted(rules.FINISHED):
        rows = tx.execute(
            """
            DELETE FROM job_queue WHERE id IN (
                SELECT id FROM job_queue
                WHERE status = :status AND finished_at IS NOT NULL
                  AND created_at < :before_ms AND finished_at < :before_ms
                ORDER BY created_at LIMIT :limit
            ) AND finished_at < :before_ms
            RETURNING id, submitted_by
            """,
            {"status": status.value, "before_ms": before_ms, "limit": limit - len(gone)},
        ).fetchall()
        gone += [Gone(job_id, status, submitted_by) for job_id, submitted_by in rows]
    for table in ("job_attempts", "job_incumbents", "job_checkpoints", "job_files"):
        tx.executemany(
            f"DELETE FROM {table} WHERE job_id = :job_id", [{"job_id": one.job_id} for one in gone]
        )
    return gone


def known(tx: Tx, job_ids: Iterable[str]) -> set[str]:
    """Return those of the ids that are jobs'."""
    found = set()
    for job_id in job_ids:
        params: dict[str, Value] = {"id": job_id}
        if tx.execute("SELECT 1 FROM job_queue WHERE id = :id", params).fetchone() is not None:
            found.add(job_id)
    return found
