"""The unit of a heartbeat: leases go on, and what there is to tell of their jobs is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from msgspec import UNSET

from forge_collector.db import Tx
from forge_collector.jobs import rules
from forge_collector.jobs.rules import Machine, Moment, Needs
from forge_collector.jobs.store import attempts
from forge_collector.jobs.store.changes import Change
from forge_collector.jobs.store.workers import CLASSES, meet_beating, register, retire
from forge_shared import codec
from forge_shared.job_messages import Heartbeat, HeldLease, JobStatus, ResourceClass

MOST_INCUMBENTS: Final = 1000  # of a job; of more, every second one goes
_MOST_TOLD: Final = 100  # jobs that somebody else may take now


class Heard(NamedTuple):
    """What a worker is told, in ids of jobs: as HeartbeatReply has it. ``changes``: jobs that got
    further, and jobs that another worker may take now that their type is known. ``retired``: a
    worker that is no more: it has said so, or another has taken its place."""

    renewed: list[str]
    lost: list[str]
    cancel: list[str]
    changes: list[Change]
    plugins_changed: bool
    retired: str | None = None


def heartbeat(tx: Tx, worker_id: str, beat: Heartbeat, machine: Machine, at: Moment) -> Heard:
    """Renew a worker's leases, and keep what it tells; raises RefusedError."""
    meet_beating(tx, worker_id, beat, machine.node_id, at)
    gone = _gone(worker_id, beat)
    retired = gone if gone is not None and retire(tx, gone, machine.node_id) else None
    live = _live(tx, worker_id)
    held = [one for one in beat.leases if (one.id, one.lease) in live]
    _renew(tx, held, at)
    told = [one for one in held if _tells(one)]
    _keep_progress(tx, told, at)
    for one in told:
        _keep_incumbents(tx, one)
        if one.checkpoint is not UNSET:
            attempts.keep_checkpoint(tx, (one.id, one.lease), bytes(one.checkpoint), at)
    changes = [_change(one, live[one.id, one.lease], worker_id, machine) for one in told]
    if beat.plugins is not None:
        changes += _reclassed(tx, register(tx, beat.plugins, at))
    return Heard(
        [one.id for one in held],
        [one.id for one in beat.leases if (one.id, one.lease) not in live],
        [one.id for one in held if live[one.id, one.lease][0]],
        changes,
        beat.plugins is not None,
        retired,
    )


def _gone(worker_id: str, beat: Heartbeat) -> str | None:
    """Return the worker that is no more, if a heartbeat says so of any."""
    if beat.last:
        return worker_id
    return None if beat.succeeds == worker_id else beat.succeeds


def _live(tx: Tx, worker_id: str) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Return a worker's leases with whether to cancel, the type, the name and the submitter."""
    rows = tx.execute(
        f"""
        SELECT a.job_id, a.lease, q.cancel_requested_at IS NOT NULL, q.type, q.name, q.submitted_by
        FROM job_attempts AS a JOIN job_queue AS q ON q.id = a.job_id
        WHERE a.resource_class IN ({CLASSES}) AND a.worker_id = :worker_id AND a.ended_at IS NULL
        """,
        {"worker_id": worker_id},
    ).fetchall()
    return {(job_id, lease): tuple(rest) for job_id, lease, *rest in rows}


def _renew(tx: Tx, held: Sequence[HeldLease], at: Moment) -> None:
    tx.executemany(
        """
        UPDATE job_attempts SET expires_ms = :expires_ms, heard = 1
        WHERE job_id = :job_id AND lease = :lease AND ended_at IS NULL
        """,
        [
            {"expires_ms": at.lease_ms + rules.LEASE_TTL_MS, "job_id": one.id, "lease": one.lease}
            for one in held
        ],
    )


def _tells(held: HeldLease) -> bool:
    return held.progress is not None or bool(held.incumbents) or held.checkpoint is not UNSET


def _keep_progress(tx: Tx, told: Sequence[HeldLease], at: Moment) -> None:
    tx.executemany(
        """
        UPDATE job_attempts SET
            progress = COALESCE(:progress, progress), progress_at = :now, progress_ms = :lease_ms
        WHERE job_id = :job_id AND lease = :lease AND ended_at IS NULL
        """,
        [
            {
                "progress": None if one.progress is None else codec.encode(one.progress).decode(),
                "now": at.now_ms,
                "lease_ms": at.lease_ms,
                "job_id": one.id,
                "lease": one.lease,
            }
            for one in told
        ],
    )


def _keep_incumbents(tx: Tx, held: HeldLease) -> None:
    if not held.incumbents:
        return
    tx.executemany(
        """
        INSERT INTO job_incumbents (job_id, at, objective, bound)
        VALUES (:job_id, :at, :objective, :bound)
        ON CONFLICT (job_id, at, objective) DO UPDATE SET bound = excluded.bound
        """,
        [
            {"job_id": held.id, "at": one.at, "objective": one.objective, "bound": one.bound}
            for one in held.incumbents
        ],
    )
    (kept,) = tx.execute(
        "SELECT COUNT(*) FROM job_incumbents WHERE job_id = :job_id", {"job_id": held.id}
    ).fetchone()
    if kept > MOST_INCUMBENTS:
        # The newest stays: it is the best.
        tx.execute(
            """
            DELETE FROM job_incumbents WHERE job_id = :job_id AND (at, objective) IN (
                SELECT at, objective FROM (
                    SELECT at, objective, ROW_NUMBER() OVER (ORDER BY at DESC, objective) AS number
                    FROM job_incumbents WHERE job_id = :job_id
                ) AS numbered WHERE number % 2 = 0
            )
            """,
            {"job_id": held.id},
        )


def _change(held: HeldLease, live: tuple[Any, ...], worker_id: str, machine: Machine) -> Change:
    _, type_, name, submitted_by = live
    return Change(
        held.id,
        type_,
        JobStatus.RUNNING,
        JobStatus.RUNNING,
        name,
        submitted_by,
        node_id=machine.node_id,
        worker_id=worker_id,
    )


def _reclassed(tx: Tx, lanes: Sequence[int]) -> list[Change]:
    """Return the first jobs of lanes whose class is another now."""
    changes: list[Change] = []
    for lane in lanes:
        rows = tx.execute(
            """
            SELECT q.id, q.type, q.name, q.submitted_by, l.resource_class, q.requirements
            FROM job_queue AS q JOIN job_lanes AS l ON l.lane = q.lane
            WHERE q.lane = :lane AND q.status = 'pending' ORDER BY q.rank, q.id LIMIT :most
            """,
            {"lane": lane, "most": _MOST_TOLD - len(changes)},
        ).fetchall()
        for job_id, type_, name, submitted_by, resource_class, requirements in rows:
            needs = Needs(type_, ResourceClass(resource_class), rules.requirements(requirements))
            changes.append(
                Change(
                    job_id,
                    type_,
                    JobStatus.PENDING,
                    JobStatus.PENDING,
                    name,
                    submitted_by,
                    ready=needs,
                )
            )
    return changes
