"""The unit that leases jobs to a worker, after it settled the results that came along."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from msgspec import UNSET, Raw, UnsetType

from forge_collector.db import Tx
from forge_collector.jobs import rules
from forge_collector.jobs.rules import Draw, Limits, Machine, Moment, Offer
from forge_collector.jobs.store import attempts, lanes, settling, workers
from forge_collector.jobs.store.changes import Change, RaceError
from forge_collector.jobs.store.lanes import Lane
from forge_collector.jobs.store.submitting import WHOLE
from forge_shared.job_messages import (
    LEASE_TTL_S,
    ClaimedJob,
    ClaimRequest,
    FileDigest,
    JobStatus,
    Refusal,
    ResourceClass,
    ResultReply,
)

INLINE, IN_FILE = 1, 2  # of job_queue.checkpoint

# What a claim tells of a job.
_TOLD: Final = """
    q.id, q.type, q.attempt_count, q.name, q.deadline, q.wall_limit_ms, q.no_progress_limit_ms,
    q.payload_file, q.checkpoint, q.payload, q.rank, q.submitted_by, q.lease_count
"""
_FIRST: Final = f"""
    SELECT {_TOLD} FROM job_queue AS q
    WHERE q.lane = :lane AND q.status = 'pending' AND (q.deadline IS NULL OR q.deadline > :now)
    ORDER BY q.rank, q.id LIMIT :most
"""
_TAKE: Final = """
    UPDATE job_queue SET
        status = 'running', lane = NULL, claimed_by = :worker_id, node_id = :node_id,
        claimed_at = :now, lease = :lease, attempt_count = :attempt,
        lease_count = lease_count + 1
    WHERE id = :job_id AND status = 'pending' AND attempt_count = :attempt - 1
"""
_RANKS: Final = """
    SELECT rank FROM job_queue
    WHERE lane = :lane AND status = 'pending' AND (deadline IS NULL OR deadline > :now)
    ORDER BY rank, id LIMIT :most
"""
_LEASE: Final = """
    INSERT INTO job_attempts (job_id, lease, attempt, resource_class, worker_id, node_id, claim_id,
                              heard, started_at, started_ms, expires_ms, progress_ms)
    VALUES (:job_id, :lease, :attempt, :resource_class, :worker_id, :node_id, :claim_id,
            0, :now, :lease_ms, :expires_ms, :lease_ms)
"""


class Claim(NamedTuple):
    """What a worker on this machine asks for. ``token``: random; its leases are made of it, so it
    is used once."""

    request: ClaimRequest
    machine: Machine
    token: str


class Claimed(NamedTuple):
    """``settled``, ``refused``: the results that came with the claim. ``full``: where there are no
    jobs, of which classes the worker can take none, even if there were some that fit."""

    jobs: list[ClaimedJob]
    settled: list[ResultReply]
    refused: list[Refusal]
    changes: list[Change]
    full: frozenset[ResourceClass]


class _Row(NamedTuple):
    """What is read of a job to tell it, and ``lease_count``: how many leases it had."""

    id: str
    type: str
    attempt_count: int
    name: str | None
    deadline: int | None
    wall_limit_ms: int | None
    no_progress_limit_ms: int | None
    payload_file: int
    checkpoint: int
    payload: bytes | None
    rank: int
    submitted_by: str
    lease_count: int


class _Taken(NamedTuple):
    """A job that was just leased."""

    row: _Row
    job: ClaimedJob


def claim(tx: Tx, wanted: Claim, limits: Limits, at: Moment, draw: Draw) -> Claimed:
    """Settle the results that came along, then lease jobs; raises RefusedError.

    A claim_id that was asked before gets the leases of then, as far as they are live.
    """
    request, node_id = wanted.request, wanted.machine.node_id
    is_repeat = workers.meet_claiming(tx, request, node_id, at)
    settled, refused, changes = settling.settle_all(tx, request.results, node_id, at, draw)
    jobs = _again(tx, request, wanted.machine.node_id, at) if is_repeat else None
    is_spent = jobs == []
    if jobs is None:
        taken = _take(tx, wanted, limits, at)
        jobs = [one.job for one in taken]
        changes += [_change(one, wanted) for one in taken]
    full = frozenset() if jobs else _full(tx, request, limits, is_spent=is_spent)
    return Claimed(jobs, settled, refused, changes, full)


def _again(tx: Tx, request: ClaimRequest, node_id: str, at: Moment) -> list[ClaimedJob] | None:
    """Return what this claim was given before; None if it was given nothing."""
    if request.claim_id is None:
        return None
    asked = {
        "claim_id": request.claim_id,
        "worker_id": request.worker_id,
        "node_id": node_id,
    }
    rows = tx.execute(
        f"""
        SELECT a.lease, a.attempt, a.resource_class, a.ended_at, {_TOLD}
        FROM job_attempts AS a JOIN job_queue AS q ON q.id = a.job_id
        WHERE a.claim_id = :claim_id AND a.worker_id = :worker_id AND a.node_id = :node_id
        """,
        asked,
    ).fetchall()
    if not rows:
        return None
    tx.execute(
        """
        UPDATE job_attempts SET expires_ms = :expires_ms
        WHERE claim_id = :claim_id AND worker_id = :worker_id AND node_id = :node_id
            AND ended_at IS NULL
        """,
        {**asked, "expires_ms": at.lease_ms + rules.LEASE_TTL_MS},
    )
    return [
        _told(tx, _Row(*told), lease, attempt, ResourceClass(resource_class))
        for lease, attempt, resource_class, ended_at, *told in rows
        if ended_at is None
    ]


def _take(tx: Tx, wanted: Claim, limits: Limits, at: Moment) -> list[_Taken]:
    """Lease the jobs of the least ranks among those that the worker can take."""
    request, machine = wanted.request, wanted.machine
    if not request.max or not request.types:
        return []
    offer = Offer(machine, rules.offered(request.types), request.slots)
    found = lanes.heads(tx, list(offer.types), machine.node_id, at.now_ms)
    fitting = [lane for lane in found if rules.fits(lane.needs, offer)]
    if not fitting:
        return []
    free = _free(tx, request, {lane.needs.resource_class for lane in fitting}, limits)
    taken: list[_Taken] = []
    for lane, most in _shares(tx, fitting, free, request.max, at):
        room = min(most, request.max - len(taken), free[lane.needs.resource_class])
        if room > 0:
            rows = _take_of_lane(tx, wanted, lane, room, at)
            free[lane.needs.resource_class] -= len(rows)
            taken += rows
    taken.sort(key=lambda one: (one.row.rank, one.row.id))
    return taken


def _free(
    tx: Tx, request: ClaimRequest, classes: Iterable[ResourceClass], limits: Limits
) -> dict[ResourceClass, int]:
    """Return how many jobs of each class the worker can be given; what runs is counted."""
    return {
        one: min(
            request.slots.get(one, 0),
            _free_of_worker(tx, one, request, limits.worker),
            _free_in_fleet(tx, one, limits.fleet, request.max),
        )
        for one in classes
    }


def _free_of_worker(
    tx: Tx,
    resource_class: ResourceClass,
    request: ClaimRequest,
    limits: Mapping[ResourceClass, int],
) -> int:
    if resource_class not in limits:
        return request.max
    (held,) = tx.execute(
        """
        SELECT COUNT(*) FROM job_attempts
        WHERE resource_class = :resource_class AND worker_id = :worker_id AND ended_at IS NULL
        """,
        {"resource_class": resource_class.value, "worker_id": request.worker_id},
    ).fetchone()
    return limits[resource_class] - int(held)


def _free_in_fleet(
    tx: Tx, resource_class: ResourceClass, limits: Mapping[ResourceClass, int], enough: int
) -> int:
    if resource_class not in limits:
        return enough
    (running,) = tx.execute(
        """
        SELECT COUNT(*) FROM job_attempts
        WHERE resource_class = :resource_class AND ended_at IS NULL
        """,
        {"resource_class": resource_class.value},
    ).fetchone()
    return limits[resource_class] - int(running)


def _full(
    tx: Tx, request: ClaimRequest, limits: Limits, *, is_spent: bool
) -> frozenset[ResourceClass]:
    """Return of which classes the worker holds all that it may. ``is_spent``: the leases of this
    claim have ended, and it is given no others."""
    if is_spent:
        return frozenset(ResourceClass)
    offered = [one for one, slots in request.slots.items() if slots > 0 and one in limits.worker]
    return frozenset(
        one for one in offered if _free_of_worker(tx, one, request, limits.worker) <= 0
    )


def _shares(
    tx: Tx, fitting: list[Lane], free: Mapping[ResourceClass, int], most: int, at: Moment
) -> list[tuple[Lane, int]]:
    """Return how many jobs to take of which lane, so that none of a lesser rank is left out."""
    candidates = sorted(
        (lane for lane in fitting if free[lane.needs.resource_class] > 0),
        key=lambda lane: lane.head,
    )
    if most == 1 or len(candidates) == 1:
        return [(lane, most) for lane in candidates]
    left = dict(free)
    shares = [0] * len(candidates)
    for _, number in heapq.merge(*(_ranked(tx, one, at, most) for one in enumerate(candidates))):
        resource_class = candidates[number].needs.resource_class
        if left[resource_class] > 0:
            left[resource_class] -= 1
            shares[number] += 1
            most -= 1
        if most == 0:
            break
    return list(zip(candidates, shares, strict=True))


def _ranked(tx: Tx, one: tuple[int, Lane], at: Moment, most: int) -> list[tuple[int, int]]:
    number, lane = one
    rows = tx.execute(_RANKS, {"lane": lane.lane, "now": at.now_ms, "most": most}).fetchall()
    return [(rank, number) for (rank,) in rows]


def _take_of_lane(tx: Tx, wanted: Claim, lane: Lane, most: int, at: Moment) -> list[_Taken]:
    """Lease the first jobs of a lane."""
    found = tx.execute(_FIRST, {"lane": lane.lane, "now": at.now_ms, "most": most}).fetchall()
    rows = [_Row(*row) for row in found]
    shared = {
        "worker_id": wanted.request.worker_id,
        "node_id": wanted.machine.node_id,
        "claim_id": wanted.request.claim_id,
        "resource_class": lane.needs.resource_class.value,
        "now": at.now_ms,
        "lease_ms": at.lease_ms,
        "expires_ms": at.lease_ms + rules.LEASE_TTL_MS,
    }
    # A claim takes of a lane once.
    leases = [f"{wanted.token}.{lane.lane}.{number}" for number in range(len(rows))]
    new = [
        {**shared, "job_id": row.id, "lease": lease, "attempt": row.attempt_count + 1}
        for row, lease in zip(rows, leases, strict=True)
    ]
    if tx.executemany(_TAKE, new).rowcount != len(rows):
        raise RaceError
    tx.executemany(_LEASE, new)
    for row in rows:
        if row.lease_count >= rules.MOST_ATTEMPTS_KEPT:
            attempts.drop_old(tx, row.id)
    return [
        _Taken(row, _told(tx, row, lease, row.attempt_count + 1, lane.needs.resource_class))
        for row, lease in zip(rows, leases, strict=True)
    ]


def _told(tx: Tx, row: _Row, lease: str, attempt: int, resource_class: ResourceClass) -> ClaimedJob:
    job = ClaimedJob(
        row.id,
        row.type,
        lease,
        LEASE_TTL_S,
        attempt,
        resource_class,
        name=row.name,
        deadline=row.deadline,
        wall_limit_s=_seconds(row.wall_limit_ms),
        no_progress_limit_s=_seconds(row.no_progress_limit_ms),
    )
    if row.payload_file == WHOLE:
        job.payload_file = _digest(tx, row.id, "payload")
    elif row.payload is not None:
        job.payload = Raw(row.payload)
    if row.checkpoint == INLINE:
        job.checkpoint = _checkpoint(tx, row.id)
    elif row.checkpoint == IN_FILE:
        job.checkpoint_file = _digest(tx, row.id, "checkpoint")
    return job


def _digest(tx: Tx, job_id: str, name: str) -> FileDigest | None:
    row = tx.execute(
        """
        SELECT size, sha256 FROM job_files WHERE job_id = :job_id AND name = :name AND is_whole = 1
        """,
        {"job_id": job_id, "name": name},
    ).fetchone()
    return None if row is None else FileDigest(*row)


def _checkpoint(tx: Tx, job_id: str) -> Raw | UnsetType:
    row = tx.execute(
        "SELECT body FROM job_checkpoints WHERE job_id = :job_id", {"job_id": job_id}
    ).fetchone()
    return UNSET if row is None else Raw(row[0])


def _change(taken: _Taken, wanted: Claim) -> Change:
    return Change(
        taken.row.id,
        taken.row.type,
        JobStatus.PENDING,
        JobStatus.RUNNING,
        taken.row.name,
        taken.row.submitted_by,
        node_id=wanted.machine.node_id,
        worker_id=wanted.request.worker_id,
    )


def _seconds(duration_ms: int | None) -> int | None:
    return None if duration_ms is None else duration_ms // 1000
