"""Claims that wait for a job.

A job that may start wakes the claim that has waited longest of those that fit it, and that one
alone; where that one turns out to be full, the next. Its unit is queued at once: behind the unit
that makes the job ready, where that is queued in the same turn of the event loop, so that both are
in one commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from forge_collector.db import DatabaseError
from forge_collector.jobs import rules
from forge_collector.jobs.store import Claimed
from forge_shared.job_messages import ResourceClass

_MOST_SUBJECTS: Final = 1000  # people may name any type
# What a bell brings: the claim that was made for its seat, or None when its time is up.
_Bell = asyncio.Future[asyncio.Future[Claimed] | None]


class Call(NamedTuple):
    """What a waiting claim is woken for: a job, or without one a slot that has become free.
    ``number``: of this call, among all."""

    resource_class: ResourceClass
    job_id: str | None = None
    needs: rules.Needs | None = None
    number: int = 0

    @property
    def subject(self) -> str:
        return self.resource_class if self.needs is None else self.needs.type

    def is_answered_by(self, claimed: Claimed) -> bool:
        if self.job_id is None:
            return any(job.resource_class is self.resource_class for job in claimed.jobs)
        return any(job.id == self.job_id for job in claimed.jobs)


class Seat:
    """A claim that may wait. ``claim`` queues its unit; ``is_there``: somebody would still hear;
    ``full``: of which classes its worker could take no job when it asked last, whatever it offers.
    """

    __slots__ = ("asked_at", "bell", "call", "claim", "full", "is_there", "offer", "worker_id")

    def __init__(
        self,
        worker_id: str,
        offer: rules.Offer,
        claim: Callable[[], asyncio.Future[Claimed]],
        is_there: Callable[[], bool],
    ) -> None:
        self.worker_id = worker_id
        self.offer = offer
        self.claim = claim
        self.is_there = is_there
        self.bell: _Bell | None = None
        self.call: Call | None = None
        self.asked_at = 0
        self.full: frozenset[ResourceClass] = frozenset()

    def fits(self, call: Call) -> bool:
        if call.resource_class in self.full:
            return False
        if call.needs is not None:
            return rules.fits(call.needs, self.offer)
        return self.offer.slots.get(call.resource_class, 0) > 0


class Waiting:
    """All claims that wait, those that have waited longest first."""

    def __init__(self) -> None:
        self._idle: dict[Seat, None] = {}
        self._idle_by_type: dict[str, dict[Seat, None]] = {}
        self._idle_by_worker: dict[str, Seat] = {}
        self._is_closed = False
        # How many calls there were, and of each subject the last that nobody idle could take: who
        # was on the way then may have been too early, and looks again.
        self._calls = 0
        self._unmet: dict[str, int] = {}
        self._all_unmet = 0

    def __len__(self) -> int:
        return len(self._idle)

    async def claim(self, seat: Seat, wait_s: float) -> Claimed | None:
        """Claim, and again whenever there is a reason to, until there is something to answer;
        None: there was nothing in all that time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        asked: asyncio.Future[Claimed] | None = self._asked(seat)
        while asked is not None:
            claimed = await asked
            self._pass_on(seat, claimed)
            if has_news(claimed):
                return claimed
            seat.full = claimed.full
            looks_again = loop.time() < until and self._missed(seat) and seat.is_there()
            asked = self._asked(seat) if looks_again else await self._rung(seat, until)
        return None

    def wake(self, call: Call) -> bool:
        """Have the claim that waits longest, of those that fit, look at once; tell whether there
        was one."""
        self._calls += 1
        return self._call(call._replace(number=self._calls))

    def wake_worker(self, worker_id: str | None, freed: ResourceClass) -> None:
        """Have the claim of a worker that was full look again: one of its leases ended."""
        seat = self._idle_by_worker.get(worker_id or "")
        if seat is not None and freed in seat.full and seat.is_there():
            self._ring(seat, None)

    def dismiss(self, worker_id: str) -> None:
        """Let go of a worker that is no more: its connection may not have ended yet."""
        if (seat := self._idle_by_worker.get(worker_id)) is not None:
            self._end(seat)

    def close(self) -> None:
        """Let go of everybody who waits, and let nobody wait any more."""
        self._is_closed = True
        for seat in list(self._idle):
            self._end(seat)

    def _call(self, call: Call) -> bool:
        """Wake one that has not looked since the call; tell whether there was one."""
        idle = self._idle if call.needs is None else self._idle_by_type.get(call.needs.type, {})
        for seat in list(idle):
            if seat.asked_at >= call.number or not seat.fits(call):
                continue
            if seat.is_there():
                self._ring(seat, call)
                return True
            self._end(seat)
        self._unmet[call.subject] = max(call.number, self._unmet.get(call.subject, 0))
        if len(self._unmet) > _MOST_SUBJECTS:
            self._unmet.clear()
            self._all_unmet = self._calls
        return False

    # --- one seat --------------------------------------------------------------------------

    def _asked(self, seat: Seat) -> asyncio.Future[Claimed]:
        seat.asked_at = self._calls
        return seat.claim()

    def _missed(self, seat: Seat) -> bool:
        if self._calls == seat.asked_at:
            return False
        if self._all_unmet > seat.asked_at:
            return True
        subjects: Iterable[str] = (*seat.offer.types, *seat.offer.slots)
        return any(self._unmet.get(subject, 0) > seat.asked_at for subject in subjects)

    async def _rung(self, seat: Seat, until: float) -> asyncio.Future[Claimed] | None:
        loop = asyncio.get_running_loop()
        if self._is_closed or loop.time() >= until:
            return None
        # A worker waits once. Of a connection that broke without a word the other end would be
        # given a job that nobody hears of.
        if (before := self._idle_by_worker.get(seat.worker_id)) is not None:
            self._end(before)
        seat.bell = loop.create_future()
        self._idle[seat] = None
        self._idle_by_worker[seat.worker_id] = seat
        for job_type in seat.offer.types:
            self._idle_by_type.setdefault(job_type, {})[seat] = None
        timer = loop.call_at(until, self._end, seat)
        try:
            return await seat.bell
        finally:
            timer.cancel()
            self._leave(seat)

    def _ring(self, seat: Seat, call: Call | None) -> None:
        bell = self._leave(seat)
        if bell is None or bell.done():
            return
        seat.call = call
        try:
            bell.set_result(self._asked(seat))
        except DatabaseError as error:
            bell.set_exception(error)

    def _end(self, seat: Seat) -> None:
        bell = self._leave(seat)
        if bell is not None and not bell.done():
            bell.set_result(None)

    def _leave(self, seat: Seat) -> _Bell | None:
        if seat in self._idle:
            del self._idle[seat]
            if self._idle_by_worker.get(seat.worker_id) is seat:
                del self._idle_by_worker[seat.worker_id]
            for job_type in seat.offer.types:
                seats = self._idle_by_type[job_type]
                del seats[seat]
                if not seats:
                    del self._idle_by_type[job_type]
        bell, seat.bell = seat.bell, None
        return bell

    def _pass_on(self, seat: Seat, claimed: Claimed) -> None:
        """Call another in its place, where it could not take what it was called for, or took
        something else. A job that is not there any more is nobody's."""
        call, seat.call = seat.call, None
        if call is None or call.is_answered_by(claimed):
            return
        if claimed.jobs or call.job_id is None or call.resource_class in claimed.full:
            self._call(call)


def has_news(claimed: Claimed) -> bool:
    """Tell whether there is something to answer; what was settled is not kept waiting."""
    return bool(claimed.jobs or claimed.settled or claimed.refused)
