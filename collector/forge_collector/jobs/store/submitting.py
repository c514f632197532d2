"""The unit that takes jobs in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import NamedTuple

from forge_collector.db import Tx, Value
from forge_collector.jobs import rules
from forge_collector.jobs.rules import Moment, RefusedError
from forge_collector.jobs.store import lanes
from forge_collector.jobs.store.changes import Change, RaceError
from forge_shared.job_messages import JobStatus, JobSubmission, SubmittedJob

NO_FILE, UPLOADING, WHOLE = 0, 1, 2  # of job_queue.payload_file


class Submission(NamedTuple):
    """A job that somebody submits. ``job_id``: theirs, or a new one. ``submitted_by``: the id of
    their credential; ``submitted_as``: its name."""

    job_id: str
    wanted: JobSubmission
    submitted_by: str
    submitted_as: str


class Submitted(NamedTuple):
    """``change``: None when nothing new was made."""

    reply: SubmittedJob
    change: Change | None


def submit(tx: Tx, new: Submission, at: Moment) -> Submitted:
    """Take a job in, unless it is there already; raises RefusedError."""
    return _submit(tx, new, at, partial(lanes.place, tx))


def submit_all(tx: Tx, several: Iterable[Submission], at: Moment) -> list[Submitted | RefusedError]:
    """Take jobs in one after another as ``submit`` does. One that is refused spoils nothing of the
    others; what it is told stands in its place."""
    place = cache(partial(lanes.place, tx))  # most have the same needs
    outcomes: list[Submitted | RefusedError] = []
    for new in several:
        try:
            outcomes.append(_submit(tx, new, at, place))
        except RefusedError as error:
            outcomes.append(error)
    return outcomes


def _submit(
    tx: Tx,
    new: Submission,
    at: Moment,
    place_of: Callable[[str, str | None, str], lanes.Place],
) -> Submitted:
    wanted = new.wanted
    available_at = at.now_ms + wanted.delay_s * 1000
    if wanted.deadline is not None and wanted.deadline <= available_at:
        # A job that was taken in before its deadline is answered all the same.
        if (known := _known(tx, new)) is not None:
            return known
        raise rules.deadline_passed() if wanted.deadline <= at.now_ms else rules.too_late()
    waits = wanted.delay_s > 0 or wanted.payload_file is not None
    requirements = rules.requirements_text(wanted.requires)
    wanted_class = None if wanted.resource_class is None else wanted.resource_class.value
    place = None if waits else place_of(wanted.type, wanted_class, requirements)
    status = JobStatus.WAITING if waits else JobStatus.PENDING
    added = tx.execute(
        """
        INSERT INTO job_queue (
            id, type, status, lane, rank, priority, created_at, available_at, deadline,
            attempt_count, lease_count, max_attempts, wall_limit_ms, no_progress_limit_ms,
            resource_class, requirements, name, submitted_by, submitted_as, dedup_key,
            payload_file, result_file, checkpoint, payload
        ) VALUES (
            :id, :type, :status, :lane, :rank, :priority, :created_at, :available_at, :deadline,
            0, 0, :max_attempts, :wall_limit_ms, :no_progress_limit_ms,
            :resource_class, :requirements, :name, :submitted_by, :submitted_as, :dedup_key,
            :payload_file, 0, 0, :payload
        ) ON CONFLICT DO NOTHING
        """,
        {
            "id": new.job_id,
            "type": wanted.type,
            "status": status.value,
            "lane": None if place is None else place.lane,
            "rank": rules.rank(available_at, wanted.priority),
            "priority": wanted.priority,
            "created_at": at.now_ms,
            "available_at": available_at if waits else None,
            "deadline": wanted.deadline,
            "max_attempts": wanted.max_attempts,
            "wall_limit_ms": _ms(wanted.wall_limit_s),
            "no_progress_limit_ms": _ms(wanted.no_progress_limit_s),
            "resource_class": wanted_class,
            "requirements": requirements,
            "name": wanted.name,
            "submitted_by": new.submitted_by,
            "submitted_as": new.submitted_as,
            "dedup_key": wanted.dedup_key,
            "payload_file": NO_FILE if wanted.payload_file is None else UPLOADING,
            "payload": None if wanted.payload_file is not None else bytes(wanted.payload),
        },
    )
    if added.rowcount != 1:
        known = _known(tx, new)
        if known is None:
            raise RaceError
        return known
    if wanted.payload_file is not None:
        _expect_payload(tx, new, at)
    return Submitted(
        SubmittedJob(new.job_id, status),
        Change(
            new.job_id,
            wanted.type,
            None,
            status,
            wanted.name,
            new.submitted_by,
            ready=None if place is None else place.needs,
        ),
    )


def _known(tx: Tx, new: Submission) -> Submitted | None:
    """Return the job that is in the way of a new one: it was submitted before, or is a duplicate;
    raises RefusedError when the id is somebody else's job's."""
    row = tx.execute(
        "SELECT status, submitted_by FROM job_queue WHERE id = :id", {"id": new.job_id}
    ).fetchone()
    if row is not None:
        if row[1] != new.submitted_by:
            raise rules.id_taken(new.job_id)
        return Submitted(SubmittedJob(new.job_id, JobStatus(row[0]), deduplicated=True), None)
    if new.wanted.dedup_key is None:
        return None
    row = under_way(tx, new.wanted.type, new.wanted.dedup_key)
    if row is None:
        return None
    return Submitted(SubmittedJob(row[0], JobStatus(row[1]), deduplicated=True), None)


def under_way(tx: Tx, type_: str, dedup_key: str) -> tuple[str, str] | None:
    """Return the id and status of the unfinished job with this key."""
    params: dict[str, Value] = {"type": type_, "dedup_key": dedup_key}
    row: tuple[str, str] | None = tx.execute(
        """
        SELECT id, status FROM job_queue
        WHERE type = :type AND dedup_key = :dedup_key AND finished_at IS NULL
        """,
        params,
    ).fetchone()
    return row


def _expect_payload(tx: Tx, new: Submission, at: Moment) -> None:
    expected = new.wanted.payload_file
    if expected is None:
        return
    tx.execute(
        """
        INSERT INTO job_files (job_id, name, is_whole, size, sha256, received, updated_at)
        VALUES (:job_id, 'payload', 0, :size, :sha256, 0, :now)
        """,
        {
            "job_id": new.job_id,
            "size": expected.size,
            "sha256": expected.sha256,
            "now": at.now_ms,
        },
    )


def await_payload(tx: Tx, job_id: str, at: Moment) -> None:
    """From now on the payload has as long to come as at first."""
    tx.execute(
        """
        UPDATE job_files SET updated_at = :now
        WHERE job_id = :job_id AND name = 'payload' AND is_whole = 0
        """,
        {"now": at.now_ms, "job_id": job_id},
    )


def _ms(duration_s: int | None) -> int | None:
    return None if duration_s is None else duration_s * 1000
