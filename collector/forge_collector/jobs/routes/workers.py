"""Jobs for workers: claiming them, going on with them, and giving results back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from forge_collector.db import Database
from forge_collector.http.auth import Authenticator
from forge_collector.http.problems import invalid, not_found
from forge_collector.http.routing import Call, empty, json_response
from forge_collector.jobs import rules, store
from forge_collector.jobs.job_types import JobTypes
from forge_collector.jobs.live import LiveJobs
from forge_collector.jobs.routes.asked import (
    check_inline,
    is_too_large,
    job_id_of,
    refusals_told,
)
from forge_collector.jobs.waiting import Seat, has_news
from forge_shared import codec
from forge_shared.job_messages import (
    MAX_INLINE_BYTES,
    ClaimedJobs,
    ClaimRequest,
    Heartbeat,
    HeartbeatReply,
    JobResult,
    Refusal,
    SettledJob,
    WorkerId,
)

_TOKEN_BITS: Final = 64
CLAIM_QUERY: Final[Mapping[str, Mapping[str, Any]]] = {
    "worker_id": {"type": "string"},
    "types": {"type": "string", "description": "Separated by commas."},
    "claim_id": {"type": "string"},
    "slots": {"type": "string", "description": "Such as `cpu=4,io=10,llm=1`."},
    "max": {"type": "integer"},
    "wait_s": {"type": "integer"},
}


class WorkerRoutes:
    def __init__(
        self, db: Database, live: LiveJobs, job_types: JobTypes, authenticator: Authenticator
    ) -> None:
        self._db = db
        self._live = live
        self._job_types = job_types
        self._authenticator = authenticator

    # --- claiming --------------------------------------------------------------------------

    async def claim(self, call: Call[ClaimRequest]) -> web.Response:
        return await self._claimed(call, call.body)

    async def claim_by_query(self, call: Call[None]) -> web.Response:
        return await self._claimed(call, _claim_of(call.request.query))

    async def _claimed(self, call: Call[Any], request: ClaimRequest) -> web.Response:
        refused = _without_oversized(request)
        machine = await self._machine(call.principal.node_id or "")
        live = self._live

        def claim() -> asyncio.Future[store.Claimed]:
            wanted = store.Claim(request, machine, _token())
            return self._db.queue(
                lambda tx: store.claim(tx, wanted, live.limits, live.moment(), random.random)
            )

        def is_there() -> bool:
            return _is_open(call.request) and self._authenticator.is_valid(call.principal)

        with refusals_told(""):
            if request.wait_s and request.max and not refused:
                offer = rules.Offer(machine, rules.offered(request.types), request.slots)
                seat = Seat(request.worker_id, offer, claim, is_there)
                claimed = await live.waiting.claim(seat, request.wait_s)
            else:
                claimed = await claim()
        if claimed is None:
            return empty()
        live.note(claimed.changes)
        if claimed.jobs and request.claim_id is None and not _is_open(call.request):
            await self._give_back(request.worker_id, claimed)
        if not has_news(claimed) and not refused:
            return empty()
        return json_response(
            ClaimedJobs(claimed.jobs, claimed.settled, [*claimed.refused, *refused])
        )

    async def _give_back(self, worker_id: str, claimed: store.Claimed) -> None:
        """Return leases that nobody heard of: whoever claimed has left, and will not ask again."""
        leases = [(job.id, job.lease) for job in claimed.jobs]
        changes = await self._db.write(
            lambda tx: store.give_back(tx, worker_id, leases, self._live.moment())
        )
        self._live.note(changes)

    # --- going on, and giving back ---------------------------------------------------------

    async def result(self, call: Call[JobResult]) -> web.Response:
        job_id, result = job_id_of(call.path("id")), call.body
        check_inline("result", result.result)
        check_inline("checkpoint", result.checkpoint)
        node_id = call.principal.node_id or ""
        with refusals_told(job_id):
            settled = await self._db.write(
                lambda tx: store.settle(
                    tx, job_id, result, node_id, self._live.moment(), random.random
                )
            )
        if settled.change is not None:
            self._live.note([settled.change])
        return json_response(settled.reply)

    async def heartbeat(self, call: Call[Heartbeat]) -> web.Response:
        worker_id, beat, live = _worker_id_of(call.path("id")), call.body, self._live
        for held in beat.leases:
            check_inline(f"leases.{held.id}.checkpoint", held.checkpoint)
        if beat.plugins:
            await self._job_types.drop_unusable(beat.plugins)
        machine = await self._machine(call.principal.node_id or "")
        # From before it is looked who is to stop: what comes in between must not be missed.
        with live.hearing(worker_id) as to_stop, refusals_told(""):
            heard = await self._db.write(
                lambda tx: store.heartbeat(tx, worker_id, beat, machine, live.moment())
            )
            if heard.retired is not None:
                live.waiting.dismiss(heard.retired)
            if heard.plugins_changed:
                await self._job_types.load()
            live.note(heard.changes)
            cancel = list(heard.cancel)
            if beat.wait_s and not cancel and not heard.lost:
                cancel += await _next_to_stop(to_stop, beat.wait_s)
        return json_response(HeartbeatReply(heard.renewed, heard.lost, cancel))

    async def _machine(self, node_id: str) -> rules.Machine:
        machine = self._live.machine(node_id)
        if machine is None:
            machine = await self._db.read(lambda tx: store.machine(tx, node_id))
            self._live.note_machine(machine)
        return machine


def _worker_id_of(text: str) -> str:
    try:
        return msgspec.convert(text, WorkerId)
    except msgspec.ValidationError:
        raise not_found(f"worker {text[:64]!r}") from None


def _token() -> str:
    """Return what sets this claim's leases apart from all others. It is no secret; and os.urandom
    lets go of the interpreter, which the writer's thread takes: under load that took 180 µs."""
    return f"{random.getrandbits(_TOKEN_BITS):016x}"


def _is_open(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


async def _next_to_stop(to_stop: asyncio.Future[str | None], wait_s: float) -> list[str]:
    try:
        async with asyncio.timeout(wait_s):
            job_id = await to_stop
    except TimeoutError:
        return []
    return [] if job_id is None else [job_id]


def _without_oversized(request: ClaimRequest) -> list[Refusal]:
    """Take results out of a claim that are too large; one of them must not keep back the others."""
    refused = [_oversized(result) for result in request.results if _is_oversized(result)]
    if refused:
        request.results = [each for each in request.results if not _is_oversized(each)]
    for result in request.results:
        check_inline("results.result", result.result)
        check_inline("results.checkpoint", result.checkpoint)
    return refused


def _is_oversized(result: SettledJob) -> bool:
    return is_too_large(result.result) or is_too_large(result.checkpoint)


def _oversized(result: SettledJob) -> Refusal:
    return Refusal(
        result.id,
        "too_large",
        f"A result holds {MAX_INLINE_BYTES:,} bytes at most; send what is larger as a file.",
    )


def _claim_of(query: Mapping[str, str]) -> ClaimRequest:
    """Read a claim from an address; raises ProblemError."""
    fields: dict[str, Any] = {key: query[key] for key in CLAIM_QUERY if key in query}
    if "types" in fields:
        fields["types"] = [one for one in fields["types"].split(",") if one]
    if "slots" in fields:
        pairs = (pair.partition("=") for pair in fields["slots"].split(","))
        fields["slots"] = {name: number for name, _, number in pairs}
    try:
        return msgspec.convert(fields, ClaimRequest, strict=False)
    except msgspec.ValidationError as error:
        refused = codec.of_validation(error)
        raise invalid(refused.field or "query", refused.reason) from None
