"""Why a job is not running yet, in a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from forge_collector.jobs.rules import matching
from forge_collector.jobs.rules.matching import Limits, Needs, Offer
from forge_shared.job_messages import JobStatus, ResourceClass, WorkerState

_REASONS_TOLD: Final = 3


class Standing(NamedTuple):
    """A worker as it stands. ``offer.slots``: its limits; ``running``: what it holds; ``lacking``:
    plugins that it has and cannot use, and why."""

    id: str
    offer: Offer
    state: WorkerState
    reason: str
    is_silent: bool
    running: Mapping[ResourceClass, int]
    lacking: Mapping[str, str] = MappingProxyType({})


class Waiting(NamedTuple):
    """A job that waits. ``available_at``: when it becomes pending, if a time was set."""

    status: JobStatus
    needs: Needs
    attempt_count: int
    available_at: int | None
    is_uploading: bool


def why_waiting(
    job: Waiting, workers: Sequence[Standing], limits: Limits, now_ms: int
) -> str | None:
    """Return why a job that waits or is pending is not running; None for any other."""
    if job.status is JobStatus.WAITING:
        return _why_waiting(job, now_ms)
    if job.status is not JobStatus.PENDING:
        return None
    return _why_pending(job.needs, workers, limits)


def _why_waiting(job: Waiting, now_ms: int) -> str:
    if job.is_uploading:
        return "Its payload is being uploaded."
    wait = _duration((job.available_at or now_ms) - now_ms)
    if job.attempt_count:
        return f"Attempt {job.attempt_count} failed; it is tried again in {wait}."
    return f"It is to start in {wait}."


def _why_pending(needs: Needs, workers: Sequence[Standing], limits: Limits) -> str:
    heard = [worker for worker in workers if not worker.is_silent]
    if not heard:
        return "No worker is there. Turn work on where a machine may do jobs: forge-agent work on."
    offering = [worker for worker in heard if needs.type in worker.offer.types]
    if not offering:
        in_vain = _told_in_vain(needs.type, heard)
        return f"No worker offers {needs.type}{in_vain}."
    misfits = {worker.id: matching.misfit(needs, worker.offer) for worker in offering}
    fitting = [worker for worker in offering if misfits[worker.id] is None]
    if not fitting:
        return f"No worker has what it needs: {_told(offering, misfits)}."
    ready = [worker for worker in fitting if worker.state is WorkerState.READY]
    if not ready:
        return f"No worker that could take it works now: {_told_states(fitting)}."
    return _why_ready_do_not_take_it(needs.resource_class, workers, ready, limits)


def _why_ready_do_not_take_it(
    wanted: ResourceClass, workers: Sequence[Standing], ready: Sequence[Standing], limits: Limits
) -> str:
    most = limits.fleet.get(wanted)
    if most is not None and sum(worker.running.get(wanted, 0) for worker in workers) >= most:
        return f"As many {wanted} jobs are running as the fleet may run at once: {most}."
    if all(worker.running.get(wanted, 0) >= _slots(worker, wanted, limits) for worker in ready):
        if len(ready) == 1:
            return f"{ready[0].id} could take it, and is busy."
        return f"All {len(ready)} workers that could take it are busy."
    return "A worker can take it as soon as its turn comes."


def _slots(worker: Standing, wanted: ResourceClass, limits: Limits) -> int:
    own = worker.offer.slots.get(wanted)
    most = limits.worker.get(wanted)
    return min(one for one in (own, most, 1 << 30) if one is not None)


def _told(workers: Sequence[Standing], reasons: Mapping[str, str | None]) -> str:
    told = [f"{worker.offer.machine.node_id} {reasons[worker.id]}" for worker in workers]
    return _few(told)


def _told_in_vain(type_: str, workers: Sequence[Standing]) -> str:
    told = [
        f"{worker.offer.machine.node_id} has it in vain ({worker.lacking[type_]})"
        for worker in workers
        if type_ in worker.lacking
    ]
    return f": {_few(told)}" if told else ""


def _told_states(workers: Sequence[Standing]) -> str:
    return _few(
        [
            f"{worker.offer.machine.node_id} is {worker.state}"
            + (f" ({worker.reason})" if worker.reason else "")
            for worker in workers
        ]
    )


def _few(told: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(told))
    more = len(distinct) - _REASONS_TOLD
    shown = "; ".join(distinct[:_REASONS_TOLD])
    return f"{shown}; and {more} more" if more > 0 else shown


def _duration(wait_ms: int) -> str:
    seconds = max(0, -(-wait_ms // 1000))
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 2 * 3600:
        return f"{-(-seconds // 60)} min"
    return f"{-(-seconds // 3600)} h"
