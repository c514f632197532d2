"""Random interleavings against the real store, in a process that is killed now and then; a model
in plain Python agrees after each step.

FORGE_MODEL_EXAMPLES: how many random lives of a queue, where the usual few are not enough. What
fails is not made smaller, for that takes minutes: the rules' seeds are all there is to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from random import Random

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import initialize, precondition, rule

from forge_collector.jobs.rules import Machine
from forge_collector.jobs.store import Claim, Submission
from forge_shared.job_messages import (
    ClaimRequest,
    JobResult,
    JobSubmission,
    ResourceClass,
    ResultStatus,
)
from tests.integration.jobs_store.life.claiming import has_asked
from tests.integration.jobs_store.life.drawing import (
    BOXES,
    HOUR_MS,
    LIMITS,
    MOST_KILLS,
    TYPES,
    seeds,
)
from tests.integration.jobs_store.life.life import has_attempts, has_jobs, has_pending
from tests.integration.jobs_store.life.passing import has_ended
from tests.integration.jobs_store.life.submitting import Submitting, has_upload
from tests.integration.jobs_store.life.working import Working, has_results, has_told
from tests.integration.jobs_store.model import DAY_MS, ENDED
from tests.integration.jobs_store.store_process import DeadError, Unit


class Queue(Submitting, Working):
    @initialize(seed=seeds)
    def open(self, seed: int) -> None:
        self.begin()
        random = self.random(seed)
        self.workers = [self.new_worker(box) for box in [*BOXES, BOXES[1]]]
        for number in range(random.randint(3, 10)):
            self.submit(seed + number)
        self.much_happens(seed)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            try:
                if self.model.jobs:
                    self.is_killed_at_any_moment()
                    self.all_ends_well()
            finally:
                self.end()

    @rule(seed=seeds)
    def much_happens(self, seed: int) -> None:
        """Draws of hypothesis's resemble each other; these do not."""
        random = self.random(seed)
        for _ in range(25):
            possible, happens = random.choice(HAPPENINGS)
            if possible(self):
                happens(self, random.randrange(2**32))
                self.agrees()

    @precondition(lambda self: self.kills < MOST_KILLS)
    @rule()
    def collector_dies(self) -> None:
        self.kills += 1
        self.restart()
        self.resume()

    def is_killed_at_any_moment(self) -> None:
        """Killed from outside, which is no draw of hypothesis's: so it is the last thing."""
        wanted, job_id = JobSubmission(type="echo"), self.uuid()
        after = self.model.copy()
        after.submit(job_id, wanted, "me", self.now)
        unit = Unit("submit", (Submission(job_id, wanted, "me", "Me"), self.at))
        with suppress(DeadError):
            self.store.run(unit, kill_after_s=Random().random() * 0.001)
        self.restart()
        self.come_back(self.model, after, "outside")

    def all_ends_well(self) -> None:
        """However it stands: with workers that can do everything, every job ends."""
        everything = [f"{type_}@9" for type_ in TYPES]
        slots = dict.fromkeys(ResourceClass, 100)
        self.wall_ms += 2 * DAY_MS  # payloads that are still to come do not
        for _ in range(3 * len(self.model.jobs) + 10):
            self.wall_ms += HOUR_MS
            self.lease_ms += HOUR_MS
            self.store.run(Unit("sweep", (self.at,), 0.5))
            for node_id in ("n1", "n2", "nobody"):
                machine = Machine(node_id, "linux", 99, 1 << 40, frozenset({"gpu", "office"}))
                request = ClaimRequest(f"{node_id}.last", everything, slots=slots, max=100)
                claim = Claim(request, machine, f"{self.number():016x}")
                claimed = self.store.run(Unit("claim", (claim, LIMITS, self.at), 0.5)).value
                for job in claimed.jobs:
                    done = JobResult(lease=job.lease, status=ResultStatus.SUCCEEDED)
                    self.store.run(Unit("settle", (job.id, done, node_id, self.at), 0.5))
            jobs, _ = self.seen()
            if all(job["status"] in {one.value for one in ENDED} for job in jobs.values()):
                assert set(jobs) == set(self.model.jobs)
                return
        raise AssertionError("some job never ends")


def always(_: Queue) -> bool:
    return True


HAPPENINGS: list[tuple[Callable[[Queue], bool], Callable[[Queue, int], None]]] = [
    (always, Queue.submit),
    (has_jobs, Queue.submit_again),
    (has_upload, Queue.upload),
    (has_pending, Queue.claim),
    (has_pending, Queue.claim),
    (has_asked, Queue.claim_again),
    (has_attempts, Queue.heartbeat),
    (has_attempts, Queue.result),
    (has_attempts, Queue.result),
    (has_results, Queue.result_again),
    (has_pending, Queue.work),
    (has_told, Queue.worker_dies),
    (has_jobs, Queue.cancel),
    (has_ended, Queue.retry),
    (always, Queue.time_passes),
    (always, Queue.sweep),
    (always, Queue.tell_of_plugin),
]

TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=int(os.environ.get("FORGE_MODEL_EXAMPLES", "25")),
    stateful_step_count=20,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
