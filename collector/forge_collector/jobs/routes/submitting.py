"""Submitting jobs: one, or a batch of them, one a line."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from aiohttp import web

from forge_collector.clock import Clock
from forge_collector.db import Database, Tx
from forge_collector.http import problems
from forge_collector.http.auth import Authenticator, Principal, check_still_valid
from forge_collector.http.problems import ProblemError, invalid
from forge_collector.http.routing import Call, json_response
from forge_collector.jobs import rules, store
from forge_collector.jobs.job_types import JobTypes
from forge_collector.jobs.live import LiveJobs
from forge_collector.jobs.routes.asked import (
    check_inline,
    check_is_seen,
    owner_seen,
    payload_not_taken,
    refusals_told,
)
from forge_shared import codec, identity
from forge_shared.job_messages import JobSubmission, ResourceClass, SubmittedJobs, SubmittedLine
from forge_shared.messages import Rejection

_NULL: Final = b"null"
_ID_NOISE_BITS: Final = 80
_SMALL_BATCH_BYTES: Final = 64 * 1024
_Outcome = store.Submitted | rules.RefusedError
_Alike = tuple[str, ResourceClass, str]  # type, class and requirements of jobs


class _Line(NamedTuple):
    """A line that holds a submission."""

    number: int
    wanted: JobSubmission


class _Batch(NamedTuple):
    lines: list[_Line]
    refused: list[Rejection]


class SubmittingRoutes:
    def __init__(
        self,
        db: Database,
        live: LiveJobs,
        job_types: JobTypes,
        clock: Clock,
        authenticator: Authenticator,
    ) -> None:
        self._db = db
        self._live = live
        self._job_types = job_types
        self._clock = clock
        self._authenticator = authenticator

    async def submit(self, call: Call[JobSubmission | bytes]) -> web.Response:
        if isinstance(call.body, bytes):
            return json_response(await self._submit_batch(call.body, call.principal))
        submitted = await self._submit_one(call.body, call.principal)
        return json_response(submitted.reply, status=200 if submitted.change is None else 201)

    # --- one -------------------------------------------------------------------------------

    async def _submit_one(self, wanted: JobSubmission, principal: Principal) -> store.Submitted:
        _check_payload(wanted)
        if wanted.payload_file is None:
            faults = await self._job_types.faults(wanted.type, bytes(wanted.payload))
            if faults:
                raise payload_not_taken(wanted.type, faults)
            check_still_valid(principal, self._authenticator)  # others' may come first
        new = store.Submission(
            wanted.id or self._new_id(), wanted, principal.owner_id, principal.name
        )
        owner_id = owner_seen(principal)

        def unit(tx: Tx) -> store.Submitted:
            return _told(tx, store.submit(tx, new, self._live.moment()), owner_id)

        queued = self._db.queue(unit)
        # In the same turn of the event loop: what claims the job is in the commit that adds it.
        called = self._call_ahead(new, set())
        with refusals_told(new.job_id):
            submitted = await queued
        if (change := submitted.change) is not None:
            is_called = _is_called(change, called)
            self._live.note([change], called=(new.job_id,) if is_called else ())
        return submitted

    # --- a batch ---------------------------------------------------------------------------

    async def _submit_batch(self, body: bytes, principal: Principal) -> SubmittedJobs:
        batch = await _read(body)
        refused = batch.refused
        lines = await self._check_payloads(batch.lines, refused)
        check_still_valid(principal, self._authenticator)  # that may have taken ten seconds
        submitted: list[SubmittedLine] = []
        outcomes = await self._taken_in([line.wanted for line in lines], principal)
        for line, outcome in zip(lines, outcomes, strict=True):
            if isinstance(outcome, rules.RefusedError):
                refused.append(Rejection(line.number, outcome.code, str(outcome)))
            else:
                reply = outcome.reply
                submitted.append(
                    SubmittedLine(reply.id, reply.status, reply.deduplicated, line=line.number)
                )
        return SubmittedJobs(submitted, sorted(refused, key=lambda each: each.line))

    async def _check_payloads(self, lines: list[_Line], refused: list[Rejection]) -> list[_Line]:
        """Return the lines whose payloads are what their types take, and add the others to
        ``refused``."""
        inline = [line for line in lines if line.wanted.payload_file is None]
        found = await self._job_types.faults_of_all(
            [(line.wanted.type, bytes(line.wanted.payload)) for line in inline]
        )
        faulty: set[int] = set()
        for line, faults in zip(inline, found, strict=True):
            if faults:
                faulty.add(line.number)
                refused.append(_rejection(line.number, payload_not_taken(line.wanted.type, faults)))
        return [line for line in lines if line.number not in faulty]

    async def _taken_in(
        self, every: Sequence[JobSubmission], principal: Principal
    ) -> list[_Outcome]:
        """Put jobs into the queue, all in one unit, and wake who waits for them."""
        if not every:
            return []
        ids = sorted(self._new_id() for _ in every)  # of one moment, they start in this order
        new = [
            store.Submission(wanted.id or new_id, wanted, principal.owner_id, principal.name)
            for wanted, new_id in zip(every, ids, strict=True)
        ]
        owner_id = owner_seen(principal)

        def unit(tx: Tx) -> list[_Outcome]:
            outcomes = store.submit_all(tx, new, self._live.moment())
            return [_told_or_refused(tx, outcome, owner_id) for outcome in outcomes]

        queued = self._db.queue(unit)
        in_vain: set[_Alike] = set()
        called = {each.job_id: self._call_ahead(each, in_vain) for each in new}
        outcomes = await queued
        changes = [
            outcome.change
            for outcome in outcomes
            if isinstance(outcome, store.Submitted) and outcome.change is not None
        ]
        self._live.note(
            changes,
            called={each.job_id for each in changes if _is_called(each, called[each.job_id])},
        )
        return outcomes

    # --- steps of both ---------------------------------------------------------------------

    def _new_id(self) -> str:
        # os.urandom lets go of the interpreter, and the writer's thread takes it: under load it
        # took 180 µs. An id is no secret.
        return identity.uuid7(self._clock.now_ms(), random.getrandbits(_ID_NOISE_BITS))

    def _call_ahead(self, new: store.Submission, in_vain: set[_Alike]) -> ResourceClass | None:
        """Call a waiting claim for a job that is about to be pending; return the class it is
        called for. ``in_vain``: for what nobody was found in this turn of the event loop. To ask
        hundreds who wait, for each of hundreds of jobs, would hold up everybody."""
        wanted = new.wanted
        if wanted.payload_file is not None or wanted.delay_s:
            return None
        resource_class = wanted.resource_class or self._job_types.class_of(wanted.type)
        # As the store keeps them: who has room for less than that would be called in vain.
        requires = rules.requirements_text(wanted.requires)
        alike = (wanted.type, resource_class, requires)
        if alike not in in_vain:
            needs = rules.Needs(wanted.type, resource_class, rules.requirements(requires))
            if not self._live.call_for(new.job_id, needs):
                in_vain.add(alike)
        return resource_class


async def _read(body: bytes) -> _Batch:
    """Take a batch apart; raises ProblemError when it is too long. A large one takes a moment, and
    is not read on the event loop."""
    try:
        if len(body) <= _SMALL_BATCH_BYTES:
            return _lines_of(body)
        return await asyncio.to_thread(_lines_of, body)
    except codec.TooManyLinesError as error:
        raise problems.of_codec(error) from None


def _lines_of(body: bytes) -> _Batch:
    batch = _Batch([], [])
    for number, line in codec.batch(body):
        try:
            wanted = codec.decode(line, JobSubmission)
            _check_payload(wanted)
        except (codec.MalformedError, codec.InvalidError) as error:
            batch.refused.append(Rejection(number, error.code, str(error)))
        except ProblemError as error:
            batch.refused.append(_rejection(number, error))
        else:
            batch.lines.append(_Line(number, wanted))
    return batch


def _check_payload(wanted: JobSubmission) -> None:
    """Raise ProblemError for a payload that is too large, or is there twice."""
    if wanted.payload_file is None:
        check_inline("payload", wanted.payload)
    elif bytes(wanted.payload) != _NULL:
        raise invalid("payload_file", "give either payload or payload_file")


def _told(tx: Tx, submitted: store.Submitted, owner_id: str | None) -> store.Submitted:
    """Return what may be told; raises RefusedError where the job is not there for the caller."""
    if submitted.change is None:
        try:
            check_is_seen(tx, submitted.reply.id, owner_id)
        except rules.NoSuchJobError:
            raise rules.RefusedError(
                "id_taken", "A job of somebody else has this dedup_key; choose another."
            ) from None
    return submitted


def _told_or_refused(tx: Tx, outcome: _Outcome, owner_id: str | None) -> _Outcome:
    if isinstance(outcome, rules.RefusedError):
        return outcome
    try:
        return _told(tx, outcome, owner_id)
    except rules.RefusedError as error:
        return error


def _is_called(change: store.Change, called: ResourceClass | None) -> bool:
    """Tell whether a claim was woken for what the job is: its type may have got another class just
    now."""
    return change.ready is not None and change.ready.resource_class is called


def _rejection(line: int, problem: ProblemError) -> Rejection:
    return Rejection(line, problem.code, problem.detail)
