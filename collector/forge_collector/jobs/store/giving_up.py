"""Jobs that fail without an attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from forge_collector.db import Tx
from forge_collector.jobs.rules import Moment
from forge_collector.jobs.store.changes import Change
from forge_shared import codec
from forge_shared.job_messages import JobError, JobStatus


def give_up(tx: Tx, rows: Sequence[tuple[Any, ...]], error: JobError, at: Moment) -> list[Change]:
    """Fail jobs that nobody has started. ``rows``: of each its id, type, status, name and
    submitter."""
    changes = []
    for job_id, type_, status, name, submitted_by in rows:
        failed = tx.execute(
            """
            UPDATE job_queue SET status = 'failed', finished_at = :now, error = :error, lane = NULL
            WHERE id = :id AND status = :status
            """,
            {
                "now": at.now_ms,
                "error": codec.encode(error).decode(),
                "id": job_id,
                "status": status,
            },
        )
        if failed.rowcount == 1:
            before = JobStatus(status)
            changes.append(Change(job_id, type_, before, JobStatus.FAILED, name, submitted_by))
    return changes
