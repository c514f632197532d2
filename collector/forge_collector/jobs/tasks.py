"""What goes on beside requests: leases run out, times come, changes are told, old jobs go."""

from __future__ import annotations

import asyncio
import random
from typing import Final

import structlog

from forge_collector.db import Database, DatabaseError, Tx
from forge_collector.jobs import store
from forge_collector.jobs.files import JobFiles
from forge_collector.jobs.job_types import JobTypes
from forge_collector.jobs.live import LiveJobs
from forge_collector.jobs.watching import JobWatch, ListWatch
from forge_shared.job_messages import Job, JobStatus, JobSummary

_PUBLISH_PERIOD_S: Final = 0.25
_SWEEP_PERIOD_S: Final = 5.0
_PRUNE_PERIOD_S: Final = 600.0
_JOBS_AT_ONCE: Final = 100
_SILENT_WORKERS_KEPT_MS: Final = 24 * 3600 * 1000
_DAY_MS: Final = 24 * 3600 * 1000
_log = structlog.get_logger()


async def restore(live: LiveJobs, job_types: JobTypes, db: Database) -> None:
    """Begin where the collector left off: nobody is charged for its downtime."""
    await db.write(lambda tx: store.resume(tx, live.moment()))
    live.restore(await db.read(store.counts), await db.read(store.running_by_node))
    await job_types.load()


# --- sweeping -------------------------------------------------------------------------------


async def sweep_forever(live: LiveJobs, job_types: JobTypes, db: Database) -> None:
    while True:
        await asyncio.sleep(_SWEEP_PERIOD_S)
        try:
            if await forget_nodes(live, db):
                await job_types.load()
            await sweep(live, db)
        except DatabaseError as error:
            _log.warning("sweeping jobs failed", error=str(error))


async def forget_nodes(live: LiveJobs, db: Database) -> bool:
    """Forget the workers of nodes that are no more; return whether there were any. Where the store
    fails, it is for the next time."""
    forgotten = live.take_forgotten_nodes()
    try:
        for node_id in forgotten:
            await db.write(lambda tx: store.forget_node(tx, node_id))  # noqa: B023  awaited here
    except DatabaseError:
        live.forget_nodes_later(forgotten)
        raise
    return bool(forgotten)


async def sweep(live: LiveJobs, db: Database) -> None:
    """Do what is due, page by page; nothing is written when nothing is."""
    live.workers = await db.read(lambda tx: store.worker_states(tx, live.moment()))
    is_more = await db.read(lambda tx: store.is_due(tx, live.moment()))
    while is_more:
        swept = await db.write(
            lambda tx: store.sweep(tx, live.moment(), random.random, _JOBS_AT_ONCE)
        )
        live.note(swept.changes)
        is_more = swept.more


# --- telling who watches --------------------------------------------------------------------


async def publish_forever(live: LiveJobs, db: Database) -> None:
    """Tell who watches what changed: lists four times a second, single jobs twice."""
    is_even = False
    while True:
        await asyncio.sleep(_PUBLISH_PERIOD_S)
        is_even = not is_even
        live.tell_loads()
        try:
            for listed in live.watches.lists_with_news():
                await _tell_list(live, db, listed)
            for watched in live.watches.jobs_with_news() if is_even else ():
                await _tell_job(live, db, watched)
        except DatabaseError as error:
            _log.warning("telling what became of jobs failed", error=str(error))


async def _tell_list(live: LiveJobs, db: Database, watch: ListWatch) -> None:
    owner_id, changed, all_counts = watch.owner_id, watch.take(), dict(live.counts)

    def query(tx: Tx) -> tuple[dict[JobStatus, int], list[JobSummary]]:
        counts = all_counts if owner_id is None else store.counts(tx, frozenset({owner_id}))
        told = changed if len(changed) <= _JOBS_AT_ONCE else []
        return counts, store.summaries(tx, told, live.limits, at)

    at = live.moment()
    try:
        counts, jobs = await db.read(query)
    except DatabaseError:
        for job_id in changed:
            watch.note(job_id)
        raise
    watch.tell(at.now_ms, counts, len(changed), jobs)


async def _tell_job(live: LiveJobs, db: Database, watch: JobWatch) -> None:
    watch.has_news = False

    def query(tx: Tx) -> Job | None:
        return store.job(tx, watch.job_id, live.limits, live.moment(), with_payload=False)

    try:
        found = await db.read(query)
    except DatabaseError:
        watch.has_news = True
        raise
    watch.tell(found)


# --- forgetting -----------------------------------------------------------------------------


async def prune_forever(
    live: LiveJobs, job_types: JobTypes, db: Database, files: JobFiles, days: int
) -> None:
    """Delete jobs that ended long ago, with their files, and workers that are no more."""
    await remove_orphans(db, files)
    while True:
        try:
            await prune(live, db, files, days)
            await job_types.load()
        except DatabaseError as error:
            _log.warning("pruning jobs failed", error=str(error))
        await asyncio.sleep(_PRUNE_PERIOD_S)


async def prune(live: LiveJobs, db: Database, files: JobFiles, days: int) -> None:
    now_ms = live.moment().now_ms
    while gone := await db.write(
        lambda tx: store.prune(tx, now_ms - days * _DAY_MS, _JOBS_AT_ONCE)
    ):
        live.forgotten(gone)
        await asyncio.to_thread(files.remove, [one.job_id for one in gone])
    await db.write(lambda tx: store.prune_workers(tx, now_ms - _SILENT_WORKERS_KEPT_MS))
    await db.write(store.prune_lanes)


async def remove_orphans(db: Database, files: JobFiles) -> None:
    """Remove files whose jobs are no more: the collector ended between the one and the other."""
    there = await asyncio.to_thread(files.job_ids)
    for start in range(0, len(there), _JOBS_AT_ONCE):
        some = there[start : start + _JOBS_AT_ONCE]
        known = await db.read(lambda tx: store.known(tx, some))  # noqa: B023  awaited here
        await asyncio.to_thread(files.remove, [each for each in some if each not in known])
