"""What people do to jobs: cancel them, and try them again."""

from __future__ import annotations

from typing import Any, NamedTuple

from forge_collector.db import Tx
from forge_collector.jobs import rules
from forge_collector.jobs.rules import Event, Moment, NoSuchJobError
from forge_collector.jobs.store import lanes
from forge_collector.jobs.store.changes import Change, RaceError
from forge_collector.jobs.store.submitting import UPLOADING, await_payload, under_way
from forge_shared.job_messages import JobStatus


class _Found(NamedTuple):
    type: str
    status: JobStatus
    name: str | None
    submitted_by: str
    claimed_by: str | None
    node_id: str | None
    priority: int
    resource_class: str | None
    requirements: str
    dedup_key: str | None
    payload_file: int
    cancel_requested_at: int | None


def cancel(tx: Tx, job_id: str, at: Moment) -> Change | None:
    """Cancel a job, or ask its worker to; None when that was done before.

    Raises NoSuchJobError, and RefusedError for a job that has ended otherwise.
    """
    found = _found(tx, job_id)
    if found.status is JobStatus.CANCELLED:
        return None
    if found.status in rules.FINISHED:
        raise rules.job_finished(job_id, found.status)
    if found.status is JobStatus.RUNNING:
        return _ask_to_cancel(tx, job_id, found, at)
    cancelled = tx.execute(
        """
        UPDATE job_queue SET
            status = 'cancelled', finished_at = :now, cancel_requested_at = :now, lane = NULL
        WHERE id = :id AND status = :status
        """,
        {"now": at.now_ms, "id": job_id, "status": found.status.value},
    )
    if cancelled.rowcount != 1:
        raise RaceError
    return _change(job_id, found, JobStatus.CANCELLED)


def retry(tx: Tx, job_id: str, at: Moment) -> Change:
    """Let a job that failed or was cancelled be done after all, as if it had just come.

    Raises NoSuchJobError, and RefusedError for any other job.
    """
    found = _found(tx, job_id)
    if found.status not in rules.FINISHED:
        raise rules.job_unfinished(job_id)
    if found.status not in rules.sources(Event.RETRIED):
        raise rules.job_finished(job_id, found.status)
    if found.dedup_key is not None and under_way(tx, found.type, found.dedup_key) is not None:
        raise rules.key_under_way()  # it may be somebody else's, so not which
    is_uploading = found.payload_file == UPLOADING
    place = None
    if not is_uploading:
        place = lanes.place(tx, found.type, found.resource_class, found.requirements)
    status = JobStatus.WAITING if is_uploading else JobStatus.PENDING
    retried = tx.execute(
        """
        UPDATE job_queue SET
            status = :after, lane = :lane, rank = :rank, attempt_count = 0,
            available_at = :available_at,
            deadline = CASE WHEN deadline > :now THEN deadline END,
            finished_at = NULL, cancel_requested_at = NULL, error = NULL,
            claimed_by = NULL, node_id = NULL, claimed_at = NULL, lease = NULL
        WHERE id = :id AND status = :before
        """,
        {
            "after": status.value,
            "lane": None if place is None else place.lane,
            "available_at": at.now_ms if place is None else None,
            "rank": rules.rank(at.now_ms, found.priority),
            "now": at.now_ms,
            "id": job_id,
            "before": found.status.value,
        },
    )
    if retried.rowcount != 1:
        raise RaceError
    if is_uploading:
        await_payload(tx, job_id, at)
    change = _change(job_id, found, status)
    return change if place is None else change._replace(ready=place.needs)


def _ask_to_cancel(tx: Tx, job_id: str, found: _Found, at: Moment) -> Change | None:
    if found.cancel_requested_at is not None:
        return None
    asked = tx.execute(
        """
        UPDATE job_queue SET cancel_requested_at = :now
        WHERE id = :id AND status = 'running' AND cancel_requested_at IS NULL
        """,
        {"now": at.now_ms, "id": job_id},
    )
    if asked.rowcount != 1:
        raise RaceError
    change = _change(job_id, found, JobStatus.RUNNING)
    return change._replace(node_id=found.node_id, worker_id=found.claimed_by)


def _found(tx: Tx, job_id: str) -> _Found:
    row: tuple[Any, ...] | None = tx.execute(
        """
        SELECT type, status, name, submitted_by, claimed_by, node_id, priority, resource_class,
               requirements, dedup_key, payload_file, cancel_requested_at
        FROM job_queue WHERE id = :id
        """,
        {"id": job_id},
    ).fetchone()
    if row is None:
        raise NoSuchJobError(job_id)
    return _Found(row[0], JobStatus(row[1]), *row[2:])


def _change(job_id: str, found: _Found, after: JobStatus) -> Change:
    return Change(job_id, found.type, found.status, after, found.name, found.submitted_by)
