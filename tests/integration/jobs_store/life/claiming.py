"""Workers claim, and claim again what they may have been given."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis.stateful import precondition, rule
from msgspec import Raw

from forge_collector.jobs.rules import Machine
from forge_collector.jobs.store import Claim, Claimed
from forge_shared.job_messages import (
    ClaimedJob,
    ClaimRequest,
    ResourceClass,
    ResultStatus,
    SettledJob,
)
from tests.integration.jobs_store.life.drawing import DRAWN, LIMITS, Worker, a_death, seeds
from tests.integration.jobs_store.life.life import Life, has_pending
from tests.integration.jobs_store.model import PENDING, Model
from tests.integration.jobs_store.store_process import Unit


def has_asked(life: Life) -> bool:
    return bool(any(worker.asked for worker in life.workers))


class Claiming(Life):
    @precondition(has_pending)
    @rule(seed=seeds)
    def claim(self, seed: int) -> None:
        random = self.random(seed)
        worker = random.choice(self.workers)
        request = ClaimRequest(
            worker_id=worker.id,
            types=random.choices(["echo@1.4", "plan@2", "chat", "echo"], k=random.randint(1, 5)),
            claim_id=self.uuid() if random.random() < 0.5 else None,
            slots={one: random.randrange(4) for one in ResourceClass},
            max=random.choice([0, 1, 1, 2, 3, 10]),
            results=self._some_results(random),
        )
        is_reply_lost = random.random() < 0.25
        self._claim(worker, request, random, is_reply_lost=is_reply_lost)

    @precondition(has_asked)
    @rule(seed=seeds)
    def claim_again(self, seed: int) -> None:
        random = self.random(seed)
        worker = random.choice([worker for worker in self.workers if worker.asked is not None])
        if worker.asked is not None:
            self._claim(worker, worker.asked, random)

    def _some_results(self, random: Random) -> list[SettledJob]:
        found = []
        for _ in range(random.choice([0, 0, 1, 2, 3])):
            held = self.some_lease(random)
            if held is not None:
                status = random.choice(list(ResultStatus))
                found.append(SettledJob(id=held[0], lease=held[1], status=status, result=Raw(b"1")))
        return found

    def _claim(
        self,
        worker: Worker,
        request: ClaimRequest,
        random: Random,
        *,
        is_reply_lost: bool = False,
    ) -> None:
        death, draw = a_death(random), random.choice(DRAWN)
        box = worker.box
        machine = Machine(box.node_id, box.os, box.cores, box.memory, box.tags)
        token = f"{self.number():016x}"
        unit = Unit("claim", (Claim(request, machine, token), LIMITS, self.at), draw)
        after = self.model.copy()
        settled, refused = [], []
        for result in request.results:
            reply = after.settle(result.id, result, box.node_id, self.now, draw)
            if isinstance(reply, str):
                refused.append((result.id, reply))
            else:
                settled.append((result.id, *reply))
        known = after.claimed_before(request.claim_id, worker.id)
        if request.claim_id is not None:
            worker.asked = request
        answer = self.run(unit, death, random)
        if answer is not None:
            claimed: Claimed = answer.value
            leases = [job.lease for job in claimed.jobs]
        else:
            self.restart()
            leases = self._new_leases()
        if known:
            again = after.claim_again(str(request.claim_id), worker.id, self.now)
            assert answer is None or again == set(leases)
        else:
            self._leased(after, worker, request, leases)
        if answer is None:
            self.come_back(self.model, after, death)
            return
        self.model = after
        assert [(one.id, one.status, one.attempt_count) for one in claimed.settled] == settled
        assert [(one.id, one.code) for one in claimed.refused] == refused
        for job in claimed.jobs:
            self._is_as_submitted(job)
        if not is_reply_lost:
            worker.told += [(job.id, job.lease) for job in claimed.jobs]
        elif request.claim_id is None:
            # The collector notices that nobody is there any more.
            gone = [(job.id, job.lease) for job in claimed.jobs]
            self.store.run(Unit("give_back", (worker.id, gone, self.at)))
            self.model.give_back(worker.id, [lease for _, lease in gone], self.now)

    def _new_leases(self) -> list[str]:
        _, attempts = self.store.run(Unit("dump", ())).value
        return [row[0] for row in attempts if row[0] not in self.model.attempts]

    def _leased(
        self, model: Model, worker: Worker, request: ClaimRequest, leases: list[str]
    ) -> None:
        """Hold what was leased to what should have been. Of jobs of the same rank it may be any."""
        box = worker.box
        offered: dict[str, tuple[int, ...] | None] = {}
        for name, _, version in sorted(offer.partition("@") for offer in request.types):
            offered[name] = tuple(map(int, version.split("."))) if version else None
        best = model.best(worker.id, box, offered, request.slots, request.max, self.now)
        _, attempts = self.store.run(Unit("dump", ())).value
        job_of = {row[0]: row[1] for row in attempts}
        given = [model.jobs[job_of[lease]] for lease in leases]
        if not given and self.store_died_before(attempts):
            return
        pending = [job.rank for job in model.jobs.values() if job.status is PENDING]
        if len(set(pending)) == len(pending):
            assert {job.id for job in given} == {job.id for job in best}
        for lease, job in zip(leases, given, strict=True):
            assert model.may_take(job, box, offered, self.now)
            model.lease(job.id, lease, worker.id, box.node_id, request.claim_id, self.now)

    def store_died_before(self, attempts: list[Any]) -> bool:
        """Tell whether the claim in flight left nothing behind."""
        return {row[0] for row in attempts} <= set(self.model.attempts)

    def _is_as_submitted(self, told: ClaimedJob) -> None:
        wanted = self.model.jobs[told.id].wanted
        attempt = self.model.attempts[told.lease]
        assert told.type == wanted.type
        assert told.attempt == attempt.number
        assert told.resource_class is attempt.resource_class
        if wanted.payload_file is None:
            assert bytes(told.payload) == bytes(wanted.payload)
        else:
            assert told.payload_file == wanted.payload_file
        assert (told.wall_limit_s, told.no_progress_limit_s) == (
            wanted.wall_limit_s,
            wanted.no_progress_limit_s,
        )
