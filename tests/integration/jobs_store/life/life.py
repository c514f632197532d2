"""A queue that lives twice, in the store and in the model, and what holds at every moment."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant

from forge_collector.jobs.rules import Moment
from forge_shared.job_messages import JobResult
from tests.empty_store import put_empty_store
from tests.integration.jobs_store.compared import in_model_terms, told
from tests.integration.jobs_store.life.drawing import MOST_KILLS, START_MS, Worker, a_death
from tests.integration.jobs_store.model import FLEET_LIMITS, PENDING, WORKER_LIMITS, Box, Model, Now
from tests.integration.jobs_store.store_process import Answer, DeadError, Death, StoreProcess, Unit


class Life(RuleBasedStateMachine):
    """The store in its process, the model beside it, and what all rules are made of."""

    def begin(self) -> None:
        self.numbers = 0
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name, "fleet.db")
        put_empty_store(self._path)
        self.store = StoreProcess(self._path)
        self.model = Model()
        self.wall_ms = self.lease_ms = START_MS
        self.kills = 0
        self.accepted: Counter[str] = Counter()
        self.workers: list[Worker] = []
        self.results: list[tuple[str, JobResult, str]] = []  # sent before, and by whom

    def end(self) -> None:
        self.store.close()
        self._folder.cleanup()

    @property
    def at(self) -> Moment:
        return Moment(self.wall_ms, self.lease_ms)

    @property
    def now(self) -> Now:
        return Now(self.wall_ms, self.lease_ms)

    def random(self, seed: int) -> Random:
        """Return what a rule chooses by; the same seed says another thing each time."""
        return Random(seed * 1000 + self.number())

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def uuid(self) -> str:
        return f"00000000-0000-7000-8000-{self.number():012x}"

    def new_worker(self, box: Box) -> Worker:
        return Worker(f"{box.node_id}.{self.number():08x}", box)

    def some_lease(self, random: Random) -> tuple[str, str] | None:
        """Return one of the newest leases; mostly a live one."""
        attempts = self.model.live() if random.random() < 0.7 else []
        attempts = attempts or list(self.model.attempts.values())[-10:]
        if not attempts:
            return None
        attempt = random.choice(attempts)
        return attempt.job_id, attempt.lease

    def run(self, unit: Unit, death: str, random: Random) -> Answer | None:
        """Run a unit; None when the process died before it answered."""
        if death == "no" or self.kills >= MOST_KILLS:
            return self.store.run(unit)
        self.kills += 1
        planned = {
            "statement": Death(statement=random.randrange(6)),
            "before commit": Death(),
            "after commit": Death(is_committed=True),
        }[death]
        try:
            return self.store.run(unit, planned)
        except DeadError:
            return None

    def restart(self) -> None:
        """Start the store anew, as a collector does, after it was killed."""
        self.store.close()
        self.store = StoreProcess(self._path)

    def resume(self) -> None:
        self.store.run(Unit("resume", (self.at,)))
        self.model.resume(self.now)

    def come_back(self, before: Model, after: Model, death: str) -> None:
        """Make out whether the unit that died was committed; nothing else is accepted."""
        seen = self.seen()
        if death != "after commit" and told(before) == seen:
            self.model = before
        else:
            # One that had fewer statements than it was to die at got to its commit, not past it.
            assert death not in {"statement", "before commit"}
            assert told(after) == seen
            self.model = after
        self.resume()

    def answered(self, unit: Unit, after: Model, random: Random | None) -> Answer | None:
        """Run a unit that leads to a model; None when its process was killed. ``random``: says
        whether it is; None: it is not."""
        if random is None:
            answer: Answer | None = self.store.run(unit)
        else:
            death = a_death(random)
            answer = self.run(unit, death, random)
            if answer is None:
                self.restart()
                self.come_back(self.model, after, death)
                return None
        self.model = after
        return answer

    def seen(self) -> Any:
        jobs, attempts = self.store.run(Unit("dump", ())).value
        return in_model_terms(jobs, attempts)

    # --- what holds at every moment ---------------------------------------------------------

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "store"):
            return
        seen = self.seen()
        assert seen == told(self.model)
        live = [attempt for attempt in seen[1].values() if attempt["outcome"] is None]
        assert len({attempt["job"] for attempt in live}) == len(live)
        running = {job_id for job_id, job in seen[0].items() if job["status"] == "running"}
        assert running == {attempt["job"] for attempt in live}
        of_worker = Counter((one["worker"], one["class"]) for one in live)
        of_fleet = Counter(one["class"] for one in live)
        assert all(count <= WORKER_LIMITS[one] for (_, one), count in of_worker.items())
        assert all(count <= FLEET_LIMITS.get(one, count) for one, count in of_fleet.items())

    @invariant()
    def none_is_accepted_twice(self) -> None:
        if hasattr(self, "store"):
            assert all(job.successes <= 1 for job in self.model.jobs.values())
            assert all(count <= 1 for count in self.accepted.values())


def has_jobs(life: Life) -> bool:
    return bool(life.model.jobs)


def has_pending(life: Life) -> bool:
    return bool(any(job.status is PENDING for job in life.model.jobs.values()))


def has_attempts(life: Life) -> bool:
    return bool(life.model.attempts)
