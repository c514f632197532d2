"""People cancel and retry, time passes, and the sweeper sees to it."""

from __future__ import annotations

from random import Random

from hypothesis.stateful import precondition, rule

from forge_collector.jobs.store import Swept
from tests.integration.jobs_store.life.drawing import DRAWN, HOUR_MS, seeds
from tests.integration.jobs_store.life.life import Life, has_jobs
from tests.integration.jobs_store.model import DAY_MS, ENDED, PENDING, WAITING
from tests.integration.jobs_store.store_process import Unit


def has_ended(life: Life) -> bool:
    return bool(any(job.status in ENDED for job in life.model.jobs.values()))


class Passing(Life):
    @precondition(has_jobs)
    @rule(seed=seeds)
    def cancel(self, seed: int) -> None:
        random = self.random(seed)
        job_id = random.choice(list(self.model.jobs))
        after = self.model.copy()
        refusal = after.cancel(job_id)
        answer = self.answered(Unit("cancel", (job_id, self.at)), after, random)
        assert answer is None or answer.refusal == refusal

    @precondition(has_ended)
    @rule(seed=seeds)
    def retry(self, seed: int) -> None:
        random = self.random(seed)
        ended = [job.id for job in self.model.jobs.values() if job.status in ENDED]
        job_id = random.choice(ended if random.random() < 0.8 else list(self.model.jobs))
        self.wall_ms += 1
        after = self.model.copy()
        refusal = after.retry(job_id, self.now)
        answer = self.answered(Unit("retry", (job_id, self.at)), after, random)
        assert answer is None or answer.refusal == refusal

    @rule(seed=seeds)
    def time_passes(self, seed: int) -> None:
        self._pass_time(self.random(seed))

    def _pass_time(self, random: Random) -> None:
        passed_ms = random.choice([1, 1000, 31_000, 31_000, 62_000, 301_000, 660_000])
        if random.random() < 0.3:
            # To the very moment at which something is due, or to the last before it.
            passed_ms = random.choice(self.due_in_ms() or [1]) - random.randrange(2)
        self.lease_ms += passed_ms
        # The wall clock may be set.
        self.wall_ms += passed_ms + random.choice([0, 0, 0, 0, -HOUR_MS, -5000, 5000, HOUR_MS])
        if random.random() < 0.5:
            self._sweep(random)

    def due_in_ms(self) -> list[int]:
        live = self.model.live()
        due = [attempt.expires - self.lease_ms for attempt in live]
        for attempt in live:
            wanted = self.model.jobs[attempt.job_id].wanted
            for since, limit_s in (
                (attempt.started, wanted.wall_limit_s),
                (attempt.progress, wanted.no_progress_limit_s),
            ):
                due.append(since + 1000 * (limit_s or 0) + 60_000 - self.lease_ms)
        for job in self.model.jobs.values():
            if job.status in {WAITING, PENDING}:
                due += [
                    moment - self.wall_ms for moment in (job.available_at, job.deadline) if moment
                ]
                if job.is_uploading:
                    due.append(max(job.payload_at, job.created_at) + DAY_MS - self.wall_ms)
        return [one for one in due if one > 0]

    @rule(seed=seeds)
    def sweep(self, seed: int) -> None:
        self._sweep(self.random(seed))

    def _sweep(self, random: Random) -> None:
        draw = random.choice(DRAWN)
        after = self.model.copy()
        after.sweep(self.now, draw)
        is_due = self.store.run(Unit("is_due", (self.at,))).value
        answer = self.answered(Unit("sweep", (self.at,), draw), after, random)
        if answer is not None:
            swept: Swept = answer.value
            assert is_due == bool(swept.changes)
