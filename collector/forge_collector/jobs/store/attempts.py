"""Attempts: each is one lease of a job, and ends once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from forge_collector.db import Tx, Value
from forge_collector.jobs import rules
from forge_collector.jobs.rules import Draw, Ending, Moment, Needs
from forge_collector.jobs.store import lanes, workers
from forge_collector.jobs.store.changes import Change, RaceError
from forge_shared import codec
from forge_shared.job_messages import (
    AttemptOutcome,
    JobError,
    JobResult,
    JobStatus,
    ResourceClass,
)

# The guard of every end: nobody else has the job meanwhile.
_SUCCEED: Final = """
    UPDATE job_queue SET
        status = 'succeeded', finished_at = :now, result = :result, result_file = :result_file,
        error = NULL
    WHERE id = :job_id AND status = 'running' AND lease = :lease AND attempt_count = :attempt
"""
_SUCCEED_ATTEMPT: Final = """
    UPDATE job_attempts SET
        ended_at = :now, heard = 1, outcome = 'succeeded', digest = :digest,
        reply_status = 'succeeded', reply_count = attempt, log_tail = :log_tail
    WHERE job_id = :job_id AND lease = :lease AND ended_at IS NULL
"""
_END: Final = """
    UPDATE job_queue SET
        status = :status, attempt_count = :attempt_count, error = COALESCE(:error, error),
        lane = :lane, available_at = :available_at, finished_at = :finished_at,
        claimed_by = CASE WHEN :is_finished = 1 THEN claimed_by END,
        node_id = CASE WHEN :is_finished = 1 THEN node_id END,
        claimed_at = CASE WHEN :is_finished = 1 THEN claimed_at END,
        lease = CASE WHEN :is_finished = 1 THEN lease END
    WHERE id = :job_id AND status = 'running' AND lease = :lease AND attempt_count = :attempt
      AND COALESCE(cancel_requested_at, 0) = :cancel_requested_at
"""
_END_ATTEMPT: Final = """
    UPDATE job_attempts SET
        ended_at = :now, outcome = :outcome, digest = :digest, reply_status = :status,
        reply_count = :attempt_count, error = :error, log_tail = :log_tail
    WHERE job_id = :job_id AND lease = :lease AND ended_at IS NULL AND expires_ms = :expires_ms
"""
_LIVE: Final = """
    SELECT a.job_id, a.lease, a.attempt, a.worker_id, a.node_id, a.resource_class, a.expires_ms,
           a.heard, q.type, q.name, q.submitted_by, q.max_attempts, q.resource_class,
           q.requirements, COALESCE(q.cancel_requested_at, 0), q.checkpoint, a.saved
    FROM job_attempts AS a JOIN job_queue AS q ON q.id = a.job_id
"""
_ALL_LIVE: Final = f"""
    {_LIVE} WHERE a.resource_class IN ({workers.CLASSES}) AND a.ended_at IS NULL
"""


class Live(NamedTuple):
    """A live attempt with what matters of its job. ``wanted_class``: as the job was submitted.
    ``cancel_requested_at``: 0 if nobody asked for that."""

    job_id: str
    lease: str
    attempt: int
    worker_id: str
    node_id: str
    resource_class: str
    expires_ms: int
    heard: int
    type: str
    name: str | None
    submitted_by: str
    max_attempts: int | None
    wanted_class: str | None
    requirements: str
    cancel_requested_at: int
    checkpoint: int
    saved: int


class Ended(NamedTuple):
    """``attempt_count``: of the job, now that the attempt has ended."""

    change: Change
    attempt_count: int


def of_jobs(tx: Tx, job_ids: Sequence[str]) -> dict[tuple[str, str], Live]:
    """Return the live attempts of these jobs, by job and lease."""
    params: dict[str, Value] = {f"job{number}": job_id for number, job_id in enumerate(job_ids)}
    names = ", ".join(f":{name}" for name in params)
    rows = tx.execute(
        f"{_LIVE} WHERE a.job_id IN ({names}) AND a.ended_at IS NULL", params
    ).fetchall()
    return {(row[0], row[1]): Live(*row) for row in rows}


def holds(tx: Tx, job_id: str, lease: str, node_id: str) -> bool:
    """Tell whether this is a live lease of a machine."""
    row = tx.execute(
        """
        SELECT 1 FROM job_attempts
        WHERE job_id = :job_id AND lease = :lease AND node_id = :node_id AND ended_at IS NULL
        """,
        {"job_id": job_id, "lease": lease, "node_id": node_id},
    ).fetchone()
    return row is not None


def hear(tx: Tx, job_id: str, lease: str) -> bool:
    """Note that a worker has shown that it knows of its lease; tell whether that is live."""
    heard = tx.execute(
        """
        UPDATE job_attempts SET heard = 1
        WHERE job_id = :job_id AND lease = :lease AND ended_at IS NULL
        """,
        {"job_id": job_id, "lease": lease},
    )
    return heard.rowcount == 1


def expired(tx: Tx, at: Moment, limit: int) -> list[Live]:
    """Return live attempts whose leases ran out."""
    rows = tx.execute(
        f"{_ALL_LIVE} AND a.expires_ms <= :lease_ms LIMIT :limit",
        {"lease_ms": at.lease_ms, "limit": limit},
    ).fetchall()
    return [Live(*row) for row in rows]


def overrun(tx: Tx, at: Moment, limit: int) -> list[Live]:
    """Return live attempts that are over their job's limits, and by more than a worker may be."""
    rows = tx.execute(
        f"""
        {_ALL_LIVE} AND (a.started_ms + q.wall_limit_ms <= :overdue_ms
                         OR a.progress_ms + q.no_progress_limit_ms <= :overdue_ms)
        LIMIT :limit
        """,
        {"overdue_ms": at.lease_ms - rules.OVERRUN_MS, "limit": limit},
    ).fetchall()
    return [Live(*row) for row in rows]


def succeed(tx: Tx, succeeded: Sequence[tuple[Live, JobResult]], at: Moment) -> list[Change]:
    """End attempts, and with them their jobs."""
    ends = [
        {
            "job_id": live.job_id,
            "lease": live.lease,
            "attempt": live.attempt,
            "now": at.now_ms,
            "result": None if result.result_file is not None else bytes(result.result),
            "result_file": int(result.result_file is not None),
            "digest": rules.digest(result),
            "log_tail": result.log_tail or None,
        }
        for live, result in succeeded
    ]
    for statement in (_SUCCEED, _SUCCEED_ATTEMPT):
        if tx.executemany(statement, ends).rowcount != len(ends):
            raise RaceError
    for live, _ in succeeded:
        if live.checkpoint:
            _drop_checkpoint(tx, live.job_id)
    return [_change(live, JobStatus.SUCCEEDED, AttemptOutcome.SUCCEEDED) for live, _ in succeeded]


def end(  # noqa: PLR0917  what ended, how, and when
    tx: Tx,
    live: Live,
    outcome: AttemptOutcome,
    error: JobError | None,
    at: Moment,
    draw: Draw,
    result: JobResult | None = None,
) -> Ended:
    """End an attempt otherwise than by success. ``result``: what its worker said."""
    ending = rules.ending(
        outcome,
        live.attempt,
        at.now_ms,
        policy=workers.policy(tx, live.type, live.max_attempts),
        is_cancelled=live.cancel_requested_at > 0,
        error=error,
        draw=draw,
    )
    ready = _move_on(tx, live, ending, at)
    ended = tx.execute(
        _END_ATTEMPT,
        {
            "now": at.now_ms,
            "outcome": ending.outcome.value,
            "digest": None if result is None else rules.digest(result),
            "status": ending.status.value,
            "attempt_count": ending.attempt_count,
            "error": _encoded(ending.error),
            "log_tail": None if result is None else result.log_tail or None,
            "job_id": live.job_id,
            "lease": live.lease,
            "expires_ms": live.expires_ms,
        },
    )
    if ended.rowcount != 1:
        raise RaceError
    change = _change(live, ending.status, ending.outcome)
    return Ended(change._replace(ready=ready), ending.attempt_count)


def give_back(
    tx: Tx, worker_id: str, leases: Iterable[tuple[str, str]], at: Moment
) -> list[Change]:
    """End leases that their worker was never told of; those it has shown to know stay."""
    given = set(leases)
    live = of_jobs(tx, [job_id for job_id, _ in given])
    return [
        end(tx, one, AttemptOutcome.UNSTARTED, None, at, _never).change
        for key, one in live.items()
        if key in given and one.worker_id == worker_id and not one.heard
    ]


def drop_old(tx: Tx, job_id: str) -> None:
    """Keep the newest attempts of a job that had very many."""
    tx.execute(
        """
        DELETE FROM job_attempts WHERE job_id = :job_id AND ended_at IS NOT NULL AND lease NOT IN (
            SELECT lease FROM job_attempts WHERE job_id = :job_id
            ORDER BY started_ms DESC, lease LIMIT :kept
        )
        """,
        {"job_id": job_id, "kept": rules.MOST_ATTEMPTS_KEPT},
    )


def keep_checkpoint(tx: Tx, held: tuple[str, str], body: bytes, at: Moment) -> bool:
    """Keep what the next attempt starts from, in the place of the one before; return whether it is
    another. ``held``: a job and the lease that it is of."""
    job_id, lease = held
    same = tx.execute(
        "SELECT 1 FROM job_checkpoints WHERE job_id = :job_id AND body = :body",
        {"job_id": job_id, "body": body},
    ).fetchone()
    if same is not None:
        return False
    tx.execute(
        """
        INSERT INTO job_checkpoints (job_id, saved_at, body) VALUES (:job_id, :now, :body)
        ON CONFLICT (job_id) DO UPDATE SET saved_at = :now, body = :body
        """,
        {"job_id": job_id, "now": at.now_ms, "body": body},
    )
    tx.execute("UPDATE job_queue SET checkpoint = 1 WHERE id = :job_id", {"job_id": job_id})
    _note_saved(tx, job_id, lease)
    return True


def keep_checkpoint_file(tx: Tx, job_id: str, lease: str | None) -> None:
    """From now on the next attempt starts from the file that was uploaded with this lease."""
    tx.execute("UPDATE job_queue SET checkpoint = 2 WHERE id = :job_id", {"job_id": job_id})
    _drop_checkpoint(tx, job_id)
    _note_saved(tx, job_id, lease)


def _note_saved(tx: Tx, job_id: str, lease: str | None) -> None:
    tx.execute(
        "UPDATE job_attempts SET saved = 1 WHERE job_id = :job_id AND lease = :lease",
        {"job_id": job_id, "lease": lease},
    )


def _drop_checkpoint(tx: Tx, job_id: str) -> None:
    tx.execute("DELETE FROM job_checkpoints WHERE job_id = :job_id", {"job_id": job_id})


def _move_on(tx: Tx, live: Live, ending: Ending, at: Moment) -> Needs | None:
    """Move a job on; return its needs if it is pending from now on."""
    place = None
    if ending.status is JobStatus.PENDING:
        place = lanes.place(tx, live.type, live.wanted_class, live.requirements)
    is_finished = ending.status in rules.FINISHED
    moved = tx.execute(
        _END,
        {
            "status": ending.status.value,
            "attempt_count": ending.attempt_count,
            "error": _encoded(ending.error),
            "lane": None if place is None else place.lane,
            "available_at": ending.available_at,
            "finished_at": at.now_ms if is_finished else None,
            "is_finished": int(is_finished),
            "job_id": live.job_id,
            "lease": live.lease,
            "attempt": live.attempt,
            "cancel_requested_at": live.cancel_requested_at,
        },
    )
    if moved.rowcount != 1:
        raise RaceError
    return None if place is None else place.needs


def _change(live: Live, after: JobStatus, outcome: AttemptOutcome) -> Change:
    return Change(
        live.job_id,
        live.type,
        JobStatus.RUNNING,
        after,
        live.name,
        live.submitted_by,
        None,
        live.node_id,
        live.worker_id,
        ResourceClass(live.resource_class),
        outcome,
    )


def _encoded(error: JobError | None) -> str | None:
    return None if error is None else codec.encode(error).decode()


def _never() -> float:
    raise AssertionError("nothing is put off here")
