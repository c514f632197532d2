"""A fleet that solves jobs while it burns, and what is wrong with it afterwards."""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.fleet import verdict
from tests.fleet.api import Admin
from tests.fleet.fire import Fire
from tests.fleet.machines import Fleet
from tests.fleet.mix import Mix, Wanted
from tests.fleet.submitting import Submitting
from tests.fleet.watch import Watch

_TURN_S: Final = 0.05
_LOOK_EVERY_S: Final = 1.0
_OVER: Final = frozenset({"succeeded", "failed", "cancelled"})
_MOST_RETRIES: Final = 3


class Plan(NamedTuple):
    """``agents``: how many of the workers are started by an agent. ``burns_s``: how long at most;
    ``every_s``: between two strokes, on the average; ``strokes``: these first, one after another,
    and no others unless more are wanted (``goes_on``). ``patience_s``: for the jobs to end when
    nothing happens any more."""

    jobs: int
    workers: int
    agents: int
    seed: int
    lease_ttl_s: int
    burns_s: float
    every_s: float
    patience_s: float
    submitted_over_s: float
    strokes: Sequence[str] = ()
    goes_on: bool = True


class Outcome(NamedTuple):
    """``faults``: what is wrong; ``attempts``: how they ended; ``watched``: how often a program of
    a job was seen; ``for_review``: how many jobs were killed too often, and retried."""

    faults: list[str]
    strokes: Mapping[str, int]
    statuses: Mapping[str, int]
    attempts: Mapping[str, int]
    watched: int
    for_review: int
    took_s: float


Tell = Callable[[str, Mapping[str, int], Mapping[str, int]], None]


def fight(folder: Path, plan: Plan, tell: Tell = lambda *_: None) -> Outcome:
    """``tell`` is called each second with what goes on, the jobs by status, and the strokes."""
    return _Battle(folder, plan, tell).fight()


class _Battle:
    def __init__(self, folder: Path, plan: Plan, tell: Tell) -> None:
        self._plan = plan
        self._tell = tell
        self._mark = f"mark-{uuid.uuid4().hex}"
        # One for what is wanted and one for what happens, so that neither changes the other.
        node_ids = [f"n{number + 1}" for number in range(plan.workers)]
        self._wanted = Mix(random.Random(plan.seed), self._mark, node_ids).draw(plan.jobs)
        self._draw = random.Random(plan.seed + 1)
        self._folder = folder
        self._watch = Watch(folder)
        self._looked_s = 0.0
        self._unfinished = plan.jobs
        self._for_review = 0

    def fight(self) -> Outcome:
        begun_s = time.monotonic()
        plan = self._plan
        fleet = Fleet(
            self._folder, workers=plan.workers, agents=plan.agents, lease_ttl_s=plan.lease_ttl_s
        )
        admin = Admin(fleet.port)
        fire = Fire(fleet, self._watch, self._draw, plan.every_s)
        submitting = Submitting(fleet.port, self._wanted, plan.submitted_over_s)
        try:
            with self._watching():
                submitting.start()
                self._burn(fire, submitting, admin)
                fire.end()
                faults = list(self._await_ends(submitting, admin, fire))
                jobs = {wanted.id: admin.job(wanted.id) for wanted in self._wanted}
                faults += verdict.of_jobs(self._wanted, jobs, fleet)
                jobs = self._retried(jobs, admin)
                faults += verdict.of_results(self._wanted, jobs, admin)
                faults += verdict.of_counts(admin, jobs)
                faults += self._stopped(fleet, jobs)
        finally:
            admin.close()
            fleet.close()
        faults += [f"a job was done twice at the same time: {each}" for each in self._watch.doubles]
        return Outcome(
            faults,
            strokes=dict(fire.strokes),
            statuses=Counter(job["status"] for job in jobs.values()),
            attempts=Counter(
                str(attempt.get("outcome")) for job in jobs.values() for attempt in job["attempts"]
            ),
            watched=self._watch.seen,
            for_review=self._for_review,
            took_s=time.monotonic() - begun_s,
        )

    @contextmanager
    def _watching(self) -> Iterator[None]:
        self._watch.start()
        try:
            yield
        finally:
            self._watch.stop()

    def _burn(self, fire: Fire, submitting: Submitting, admin: Admin) -> None:
        strokes = list(self._plan.strokes)
        until_s = time.monotonic() + self._plan.burns_s
        while time.monotonic() < until_s and (strokes or self._plan.goes_on):
            if fire.burn(strokes[:1] or None):
                del strokes[:1]
            self._look(admin, fire, "burning")
            if submitting.is_over and not self._unfinished:
                break
            time.sleep(_TURN_S)
        # What was begun takes its time: a machine stays away for longer than its leases last.
        while fire.is_burning and time.monotonic() < until_s:
            fire.smoulder()
            self._look(admin, fire, "smouldering")
            time.sleep(_TURN_S)

    def _look(self, admin: Admin, fire: Fire, what: str) -> dict[str, int]:
        if time.monotonic() < self._looked_s + _LOOK_EVERY_S:
            return {}
        counts: dict[str, int] = admin.get("/api/jobs?limit=1")["counts"]
        alone = sum(wanted.alone for wanted in self._wanted)
        over = sum(counts.get(status, 0) for status in _OVER)
        self._unfinished = self._plan.jobs - alone - over
        self._tell(what, counts, fire.strokes)
        self._looked_s = time.monotonic()
        return counts

    def _await_ends(self, submitting: Submitting, admin: Admin, fire: Fire) -> Iterator[str]:
        """Wait until all jobs are over; then cancel those that nobody can take."""
        until_s = time.monotonic() + self._plan.patience_s
        while not submitting.is_over or self._unfinished:
            if submitting.failed is not None:
                raise submitting.failed
            if time.monotonic() > until_s:
                yield f"{self._unfinished} jobs are not over"
                break
            self._look(admin, fire, "finishing")
            time.sleep(_TURN_S)
        for wanted in self._wanted:
            if wanted.alone:
                yield from self._of_alone(wanted, admin)

    def _of_alone(self, wanted: Wanted, admin: Admin) -> Iterator[str]:
        job = admin.job(wanted.id)
        if job["status"] != "pending" or not job.get("waits_because") or job["attempts"]:
            yield f"{wanted.body['name']} should wait and say why: {job}"
        admin.cancel(wanted.id)

    def _retried(self, jobs: dict[str, Any], admin: Admin) -> dict[str, Any]:
        """Have jobs done again that were killed too often."""
        jobs = dict(jobs)
        for wanted in self._wanted:
            if "succeeded" in wanted.ends and verdict.is_for_review(jobs[wanted.id]):
                self._for_review += 1
                admin.retry(wanted.id)
                jobs[wanted.id] = self._ended(wanted.id, admin)
        return jobs

    def _ended(self, job_id: str, admin: Admin) -> dict[str, Any]:
        until_s = time.monotonic() + self._plan.patience_s
        while (job := admin.job(job_id))["status"] not in _OVER and time.monotonic() < until_s:
            time.sleep(4 * _TURN_S)
        return job

    def _stopped(self, fleet: Fleet, jobs: Mapping[str, Any]) -> Iterator[str]:
        """Stop everything as one stops it, and look at what is left."""
        for machine in fleet.machines:
            code = machine.stop()
            if code:
                yield f"{machine.node_id} ended with {code}"
        yield from verdict.of_machines(fleet)
        code = fleet.collector.stop()
        if code:
            yield f"the collector ended with {code}"
        yield from verdict.of_collector(fleet, jobs)
        yield from verdict.of_processes(fleet, self._mark)
