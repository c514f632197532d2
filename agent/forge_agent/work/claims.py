"""Claims: asking for jobs, as many as there is room for."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from forge_agent.core.attempts import Stop
from forge_agent.core.pacing import Retry
from forge_agent.log import Log
from forge_agent.work import clock
from forge_agent.work.collector import Line, RefusedError, UnansweredError, fault_of
from forge_agent.work.heartbeats import Heartbeats
from forge_agent.work.holding import Held, Holding
from forge_agent.work.journal import Journal, Lease, OpenClaim
from forge_agent.work.results import Result, Results
from forge_agent.work.setbacks import Setbacks

_PATH: Final = "/api/jobs/claim"
WAIT_S: Final = 25
_PATIENCE_S: Final = 10.0
_LAST_PATIENCE_S: Final = 2.0
# Each may bring a payload and a checkpoint of a MiB.
_MOST_AT_ONCE: Final = 16
_MOST_RESULT_BYTES: Final = 2 * 1024 * 1024
# Who has nothing for us keeps a claim waiting; one that does not is asked no more often.
_SHORTEST_TURN_S: Final = 1.0
_JOB_FIELDS: Final = {
    "id": str,
    "type": str,
    "lease": str,
    "lease_ttl_s": int,
    "attempt": int,
    "resource_class": str,
}
_JOB_LIMITS: Final = ("wall_limit_s", "no_progress_limit_s")

Job = dict[str, Any]


class Claimer(NamedTuple):
    """Who claims, and ``types``: what it can do now, with the plugins' versions. ``left``: what an
    earlier worker has asked for last."""

    worker_id: str
    types: Callable[[], list[str]]
    left: OpenClaim | None


class Claims:
    """A thread that claims while the worker takes jobs and has room.

    ``take``: makes an attempt of a job, claimed by a request that was sent at that moment of the
    leases' clock. ``give_back``: what came for an earlier worker. ``on_answered``: called with a
    result that went along, the code of its refusal or "", and the words for it.
    """

    def __init__(
        self,
        claimer: Claimer,
        *,
        line: Line,
        holding: Holding,
        journal: Journal,
        results: Results,
        heartbeats: Heartbeats,
        setbacks: Setbacks,
        log: Log,
        take: Callable[[Job, float], Held],
        give_back: Callable[[Lease], None],
        on_answered: Callable[[Result, str, str], None],
    ) -> None:
        self._claimer = claimer
        self._line = line
        self._holding = holding
        self._journal = journal
        self._results = results
        self._heartbeats = heartbeats
        self._setbacks = setbacks
        self._log = log
        self._take = take
        self._give_back = give_back
        self._on_answered = on_answered
        self._retry = Retry()
        self._stopping = False
        self._left = claimer.left
        self._offered: dict[str, int] | None = None  # in the claim that is under way
        self._interrupted = False
        # The answer to the claim with the journal's present id may have been lost.
        self._open = False
        self._takes_results_along = True
        self._thread = threading.Thread(target=self._run, name="claims", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        with self._holding.changed:
            self._stopping = True
            self._holding.changed.notify_all()
        self.look_again()
        self._thread.join(timeout_s)

    def look_again(self) -> None:
        """End a claim that waits, when it offers what is no longer so."""
        with self._holding.changed:
            offered = self._offered
            if offered is None or self._interrupted or not self._is_stale(offered):
                return
            self._interrupted = True
            self._line.interrupt()  # in one, or it would be the next claim that it ends

    def _is_stale(self, offered: dict[str, int]) -> bool:
        if self._stopping or not self._holding.takes_jobs() or not self._heartbeats.registered:
            return True
        free = self._holding.free()
        return any(free[name] and not offered.get(name) for name in free)

    # --- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                if self._left is not None:
                    self._resolve_left(self._left)
                elif self._open and not self._holding.takes_jobs():
                    self._resolve(timeout_s=_PATIENCE_S)
                elif self._await_turn():
                    self._claim()
            except Exception as error:  # noqa: BLE001 without this thread nothing is claimed
                self._open = True
                self._retry.failed(time.monotonic(), 0.0)
                self._log.event("claim_failed", reason=fault_of(error))
        if self._open and self._left is None:
            self._resolve(timeout_s=_LAST_PATIENCE_S)

    def _await_turn(self) -> bool:
        """Wait until there is something to claim; return False when another look is due first."""
        holding = self._holding
        with holding.changed:
            types = self._claimer.types()
            not_before_s = self._setbacks.ready_at_s(types)
            left_s = max(self._retry.not_before_s, not_before_s) - time.monotonic()
            if left_s > 0:
                holding.announce_claim(comes=False)
                holding.changed.wait(left_s)
                return False
            may_claim = self._heartbeats.registered and holding.takes_jobs()
            if may_claim and types and any(holding.free().values()):
                return not self._stopping
            holding.announce_claim(comes=self._heartbeats.registered)
            if not self._stopping:
                holding.changed.wait()
            return False

    def _claim(self) -> None:
        claim_id = self._journal.next_claim()
        with self._holding.changed:
            offered = self._holding.free()
            every = self._claimer.types()
            # Looked at first: what pauses no longer in between is claimed all the same.
            next_ready_at_s = self._setbacks.next_ready_at_s(every)
            types = self._setbacks.ready(every)
            if not (types and any(offered.values())):
                return
            self._offered, self._interrupted = offered, False
            connection = self._line.connection
        asked_again = self._open
        results: list[Result] = []
        if self._takes_results_along and not asked_again:
            results = self._results.take(_MOST_AT_ONCE, _MOST_RESULT_BYTES, with_files=False)
        self._holding.announce_claim(comes=False)
        wait_s = 0 if asked_again or results else _wait_s(next_ready_at_s)
        message = {
            "worker_id": self._claimer.worker_id,
            "types": types,
            "claim_id": claim_id,
            "slots": offered,
            "max": min(_MOST_AT_ONCE, sum(offered.values())),
            "wait_s": wait_s,
            "results": [result.message for result in results],
        }
        self._open = True
        begun_s, sent_s = time.monotonic(), clock.awake_or_not_s()
        try:
            answer = self._line.post(_PATH, message, timeout_s=wait_s + _PATIENCE_S, by=connection)
            jobs = _jobs_of(answer)
            settled = self._settled(results, answer)
        except (UnansweredError, RefusedError) as error:
            self._failed(error, with_results=bool(results))
            return
        finally:
            self._results.give_back(results)  # but for those that were answered
            with self._holding.changed:
                self._offered = None
        self._takes_results_along = True
        taken = self._took(jobs, sent_s, asked_again=asked_again)
        now_s = time.monotonic()
        in_vain = not (taken or settled or asked_again)
        pause_s = max(0.0, begun_s + _SHORTEST_TURN_S - now_s) if in_vain else 0.0
        self._retry.succeeded(now_s, pause_s)

    def _failed(self, error: UnansweredError | RefusedError, *, with_results: bool) -> None:
        with self._holding.changed:
            ours = self._interrupted
        if ours:
            return
        # One of the results may be what it dislikes: they go one by one then.
        self._takes_results_along = not with_results
        retry_after_s = error.retry_after_s if isinstance(error, UnansweredError) else 0.0
        self._retry.failed(time.monotonic(), retry_after_s)
        if isinstance(error, RefusedError):
            self._log.event("claim_failed", reason=str(error))

    def _resolve(self, *, timeout_s: float) -> None:
        """Ask what became of the claim whose answer did not come, and take nothing new."""
        claim = OpenClaim(self._journal.next_claim(), self._claimer.worker_id)
        sent_s = clock.awake_or_not_s()
        jobs = self._jobs_of_claim(claim, timeout_s)
        if jobs is not None:
            self._took(jobs, sent_s, asked_again=True)

    def _resolve_left(self, left: OpenClaim) -> None:
        """Give back what an earlier worker was given and never heard of."""
        jobs = self._jobs_of_claim(left, _PATIENCE_S)
        if jobs is None:
            return
        leases = [Lease(job["id"], job["lease"]) for job in jobs]
        if leases:
            self._journal.leased(leases)
        for lease in leases:
            self._give_back(lease)
        self._left = None  # where that failed it is asked again

    def _jobs_of_claim(self, claim: OpenClaim, timeout_s: float) -> list[Job] | None:
        """Ask what a claim has brought, and for nothing new; None: there was no answer."""
        message = {
            "worker_id": claim.worker_id,
            "types": [],
            "claim_id": claim.claim_id,
            "slots": {},
            "max": 1,
        }
        try:
            jobs = _jobs_of(self._line.post(_PATH, message, timeout_s=timeout_s))
        except UnansweredError as error:
            self._failed(error, with_results=False)
            self._pause()
            return None
        except RefusedError:
            jobs = []  # nor will it ever be answered
        self._retry.succeeded(time.monotonic())
        return jobs

    def _took(self, jobs: list[Job], sent_s: float, *, asked_again: bool) -> bool:
        """Journal what came, tell the collector that it has come, and begin. Return whether there
        was anything to begin with."""
        if jobs:
            self._journal.leased(Lease(job["id"], job["lease"]) for job in jobs)
        elif asked_again:
            # It may have brought something that is over by now: it brings nothing any more.
            self._journal.forget_claim()
        self._open = False
        attempts = [self._take(job, sent_s) for job in self._with_room(jobs)]
        if not attempts:
            return False
        self._holding.add(attempts)
        try:
            self._heartbeats.beat(self._line, [(attempt, {}) for attempt in attempts])
        except (UnansweredError, RefusedError):
            self._heartbeats.again()
        for attempt in attempts:
            if not self._holding.takes_jobs():
                attempt.stop(Stop.YIELD)  # the owner came back while the answer was under way
            attempt.begin()
        return True

    def _with_room(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs that may begin, and give back the others: how many run at a time is the
        owner's word, whatever the collector sends, and no job runs twice."""
        held = self._holding.held()
        leases = {one.lease for one in held}
        running = {one.job_id for one in held if not one.is_over}
        free = self._holding.free()
        may_begin: list[Job] = []
        for job in jobs:
            if job["lease"] in leases:
                continue
            leases.add(job["lease"])
            if job["id"] in running or free.get(job["resource_class"], 0) <= 0:
                self._give_back(Lease(job["id"], job["lease"]))
                continue
            running.add(job["id"])
            free[job["resource_class"]] -= 1
            may_begin.append(job)
        return may_begin

    def _settled(self, results: list[Result], answer: Any) -> bool:
        """Note what became of results that went along; return whether anything did."""
        became: dict[str, tuple[str, str]] = {}
        for one in (answer or {}).get("settled", []):
            became[str(one.get("id"))] = ("", str(one.get("status")))
        for one in (answer or {}).get("refused", []):
            became[str(one.get("id"))] = (str(one.get("code")), str(one.get("detail")))
        for result in results:
            if result.job_id in became:
                self._on_answered(result, *became[result.job_id])
        return bool(became)

    def _pause(self) -> None:
        with self._holding.changed:
            while (left_s := self._retry.not_before_s - time.monotonic()) > 0:
                if self._stopping:
                    return
                self._holding.changed.wait(left_s)


def _wait_s(next_ready_at_s: float) -> int:
    """Return how long a claim may wait: what pauses now is to be claimed when it does no more."""
    left_s = next_ready_at_s - time.monotonic()
    return max(1, math.ceil(left_s)) if left_s < WAIT_S else WAIT_S


def _jobs_of(answer: Any) -> list[Job]:
    """Return the jobs of an answer; raises UnansweredError for one that is none."""
    if answer is None:
        return []
    jobs = answer.get("jobs") if isinstance(answer, dict) else None
    if not isinstance(jobs, list) or not all(_is_job(job) for job in jobs):
        raise UnansweredError("the answer is not a collector's")
    return jobs


def _is_job(job: Any) -> bool:
    if not isinstance(job, dict):
        return False
    fields = [(job.get(name), kind) for name, kind in _JOB_FIELDS.items()]
    fields += [(job[name], int) for name in _JOB_LIMITS if job.get(name) is not None]
    return all(isinstance(value, kind) and not isinstance(value, bool) for value, kind in fields)
