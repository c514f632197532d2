"""Jobs for people: looking, cancelling, trying again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from forge_collector.clock import Clock
from forge_collector.db import Database, Tx
from forge_collector.http.problems import invalid
from forge_collector.http.routing import Call, json_response
from forge_collector.http.streams import Streams
from forge_collector.jobs import rules, store
from forge_collector.jobs.live import LiveJobs
from forge_collector.jobs.routes.asked import (
    check_is_seen,
    job_id_of,
    owner_seen,
    refusals_told,
)
from forge_shared.job_messages import Job, Jobs, JobStatus, Workers

_MOST_OF_A_PAGE: Final = 500
_USUAL_PAGE: Final = 50
LIST_QUERY: Final[Mapping[str, Mapping[str, Any]]] = {
    "status": {"type": "string", "enum": [status.value for status in JobStatus]},
    "type": {"type": "string", "description": "Jobs of this type."},
    "node": {"type": "string", "description": "Jobs that this node works on, or did last."},
    "q": {
        "type": "string",
        "description": "In the name, or at the beginning of the id; looks through 20,000 jobs.",
    },
    "order": {
        "type": "string",
        "enum": ["newest", "rank"],
        "description": "`rank`: of those that are pending, the next ones first.",
    },
    "before": {"type": "string", "description": "`next` of the page before."},
    "limit": {"type": "integer", "minimum": 1, "maximum": _MOST_OF_A_PAGE},
}


class PeopleRoutes:
    def __init__(self, db: Database, live: LiveJobs, streams: Streams, clock: Clock) -> None:
        self._db = db
        self._live = live
        self._streams = streams
        self._clock = clock

    # --- changing --------------------------------------------------------------------------

    async def cancel(self, call: Call[None]) -> web.Response:
        job_id, owner_id = job_id_of(call.path("id")), owner_seen(call.principal)

        def unit(tx: Tx) -> store.Change | None:
            check_is_seen(tx, job_id, owner_id)
            return store.cancel(tx, job_id, self._live.moment())

        with refusals_told(job_id):
            change = await self._db.write(unit)
        if change is not None:
            self._live.note([change])
            if change.after is JobStatus.RUNNING and change.worker_id is not None:
                self._live.tell_to_stop(change.worker_id, job_id)
        return await self._job_response(job_id)

    async def retry(self, call: Call[None]) -> web.Response:
        job_id, owner_id = job_id_of(call.path("id")), owner_seen(call.principal)

        def unit(tx: Tx) -> store.Change:
            check_is_seen(tx, job_id, owner_id)
            return store.retry(tx, job_id, self._live.moment())

        with refusals_told(job_id):
            change = await self._db.write(unit)
        self._live.note([change])
        return await self._job_response(job_id)

    # --- looking ---------------------------------------------------------------------------

    async def jobs(self, call: Call[None]) -> web.Response:
        owner_id = owner_seen(call.principal)
        wanted = _wanted(call.request.query, owner_id)
        all_counts = dict(self._live.counts)

        def query(tx: Tx) -> Jobs:
            summaries, further = store.page(tx, wanted, self._live.limits, self._live.moment())
            counts = all_counts if owner_id is None else _own_counts(tx, owner_id)
            return Jobs(summaries, counts, further)

        try:
            found = await self._db.read(query)
        except ValueError as error:
            raise invalid("before", str(error)) from None
        return json_response(found)

    async def job(self, call: Call[None]) -> web.Response:
        job_id, owner_id = job_id_of(call.path("id")), owner_seen(call.principal)
        return await self._job_response(job_id, owner_id)

    async def workers(self, call: Call[None]) -> web.Response:
        # A submitter is to know what there is to submit, and not which machines there are.
        sees_machines = owner_seen(call.principal) is None

        def query(tx: Tx) -> Workers:
            at = self._live.moment()
            return Workers(store.workers(tx, at) if sees_machines else [], store.types(tx, at))

        return json_response(await self._db.read(query))

    async def events(self, call: Call[None]) -> web.StreamResponse:
        owner_id = owner_seen(call.principal)
        if (text := call.request.query.get("id")) is not None:
            return await self._watch_job(call, job_id_of(text), owner_id)
        with self._live.watches.of_list(owner_id) as watch:
            counts: Mapping[JobStatus, int] = self._live.counts
            if owner_id is not None:
                counts = await self._db.read(lambda tx: _own_counts(tx, owner_id))
            frames = watch.frames(self._clock.now_ms(), counts)
            return await self._streams.serve(call.request, call.principal, frames)

    async def _watch_job(
        self, call: Call[None], job_id: str, owner_id: str | None
    ) -> web.StreamResponse:
        with self._live.watches.of_job(job_id) as watch, refusals_told(job_id):
            found = await self._read_job(job_id, owner_id, with_payload=False)
            if watch.is_new:
                watch.tell(found)
            return await self._streams.serve(call.request, call.principal, watch.frames())

    # --- shared steps ----------------------------------------------------------------------

    async def _job_response(self, job_id: str, owner_id: str | None = None) -> web.Response:
        with refusals_told(job_id):
            return json_response(await self._read_job(job_id, owner_id))

    async def _read_job(
        self, job_id: str, owner_id: str | None, *, with_payload: bool = True
    ) -> Job:
        def query(tx: Tx) -> Job:
            check_is_seen(tx, job_id, owner_id)
            found = store.job(
                tx, job_id, self._live.limits, self._live.moment(), with_payload=with_payload
            )
            if found is None:
                raise rules.NoSuchJobError(job_id)
            return found

        return await self._db.read(query)


def _own_counts(tx: Tx, owner_id: str) -> dict[JobStatus, int]:
    return store.counts(tx, frozenset({owner_id}))


def _wanted(query: Mapping[str, str], owner_id: str | None) -> store.Wanted:
    """Read what a list is asked for; raises ProblemError."""
    limit = query.get("limit", str(_USUAL_PAGE))
    if not (limit.isascii() and limit.isdigit() and len(limit) < 4) or not (
        1 <= int(limit) <= _MOST_OF_A_PAGE
    ):
        raise invalid("limit", f"must be a whole number from 1 to {_MOST_OF_A_PAGE}")
    try:
        status = JobStatus(query["status"]) if "status" in query else None
    except ValueError:
        raise invalid("status", f"must be one of {', '.join(JobStatus)}") from None
    order = query.get("order", "newest")
    if order not in {"newest", "rank"}:
        raise invalid("order", "must be newest or rank")
    if order == "rank" and status is not JobStatus.PENDING:
        raise invalid("order", "by rank there are jobs with status=pending alone")
    return store.Wanted(
        by_rank=order == "rank",
        status=status,
        type=query.get("type"),
        node_id=query.get("node"),
        text=query.get("q"),
        submitted_by=None if owner_id is None else frozenset({owner_id}),
        before=query.get("before"),
        limit=int(limit),
    )
