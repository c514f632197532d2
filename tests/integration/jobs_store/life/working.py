"""What workers do with what they were given: they beat, answer, and die."""

from __future__ import annotations

from random import Random

from hypothesis.stateful import precondition, rule
from msgspec import UNSET, Raw

from forge_collector.jobs.rules import Machine
from forge_collector.jobs.store import Claim, Heard, Settled
from forge_shared.job_messages import (
    AttemptOutcome,
    ClaimRequest,
    Heartbeat,
    HeldLease,
    Incumbent,
    JobError,
    JobResult,
    JobStatus,
    PluginOffer,
    Progress,
    ResourceClass,
    ResultStatus,
)
from tests.integration.jobs_store.life.claiming import Claiming
from tests.integration.jobs_store.life.drawing import DRAWN, LIMITS, TYPES, Worker, seeds
from tests.integration.jobs_store.life.life import Life, has_attempts, has_pending
from tests.integration.jobs_store.life.passing import Passing
from tests.integration.jobs_store.store_process import Unit

CHECKPOINTS = [Raw(b"7"), Raw(b"8"), Raw(b"[1]")]


def has_results(life: Life) -> bool:
    return bool(life.results)


def has_told(life: Life) -> bool:
    return bool(any(worker.told for worker in life.workers))


class Working(Claiming, Passing):
    @precondition(has_attempts)
    @rule(seed=seeds)
    def heartbeat(self, seed: int) -> None:
        random = self.random(seed)
        worker = random.choice(self.workers)
        number = random.randrange(6)
        leases = dict.fromkeys(worker.told[-number:] if number else [])
        if random.random() < 0.2 and (other := self.some_lease(random)) is not None:
            leases[other] = None
        telling = random.choice(["", "", "progress", "incumbent", "checkpoint"])
        held = [
            HeldLease(
                id=job_id,
                lease=lease,
                progress=Progress(0.5) if telling == "progress" else None,
                incumbents=[Incumbent(self.wall_ms, 5.0)] if telling == "incumbent" else [],
                checkpoint=random.choice(CHECKPOINTS) if telling == "checkpoint" else UNSET,
            )
            for job_id, lease in leases
        ]
        self._beat(worker, Heartbeat(leases=held), random)

    @rule(seed=seeds)
    def tell_of_plugin(self, seed: int) -> None:
        random = self.random(seed)
        plugin = PluginOffer(
            random.choice(TYPES),
            random.choice(["1", "1.10", "1.9"]),
            random.choice(list(ResourceClass)),
            attempts=random.randint(1, 3),
            backoff_s=random.choice([0, 10, 500]),
        )
        box = random.choice(self.workers).box
        # One of each machine, so that none has outlived another that told of its own.
        teller = Worker(f"{box.node_id}.teller", box)
        self._beat(teller, Heartbeat(plugins=[plugin]), None)
        self.model.tell_of_plugin(teller.id, plugin)

    def _beat(self, worker: Worker, beat: Heartbeat, random: Random | None) -> None:
        unit = Unit("heartbeat", (worker.id, beat, Machine(worker.box.node_id), self.at))
        after = self.model.copy()
        expected = after.beat(worker.id, beat.leases, self.now)
        answer = self.answered(unit, after, random)
        if answer is not None:
            heard: Heard = answer.value
            assert (set(heard.renewed), set(heard.lost), set(heard.cancel)) == expected

    @precondition(has_attempts)
    @rule(seed=seeds)
    def speak_for_another_node(self, seed: int) -> None:
        random = self.random(seed)
        worker_id = random.choice(list(self.model.attempts.values())).worker_id
        stranger = Machine("stranger")
        if random.random() < 0.5:
            request = ClaimRequest(worker_id=worker_id, types=list(TYPES))
            unit = Unit("claim", (Claim(request, stranger, "0" * 16), LIMITS, self.at), 0.0)
        else:
            unit = Unit("heartbeat", (worker_id, Heartbeat(), stranger, self.at))
        assert self.store.run(unit).refusal == "foreign_worker"

    @precondition(has_attempts)
    @rule(seed=seeds)
    def result(self, seed: int) -> None:
        random = self.random(seed)
        held = self.some_lease(random)
        if held is None:
            return
        self._result(*held, random)

    def _result(self, job_id: str, lease: str, random: Random) -> None:
        status = random.choice(list(ResultStatus))
        is_failure = status is ResultStatus.FAILED
        failure = random.choice([None, AttemptOutcome.CRASHED, AttemptOutcome.TIMED_OUT])
        # Perhaps it is the next worker that says so, and what the last one kept.
        left = random.choice([None, AttemptOutcome.LOST])
        outcome = {ResultStatus.FAILED: failure, ResultStatus.YIELDED: left}.get(status)
        result = JobResult(
            lease=lease,
            status=status,
            result=Raw(b'{"made": 1}' if status is ResultStatus.SUCCEEDED else b"null"),
            error=JobError("broke", "It broke.", random.random() < 0.8) if is_failure else None,
            outcome=outcome,
            log_tail="the end",
            checkpoint=random.choice(CHECKPOINTS) if random.random() < 0.3 else UNSET,
        )
        is_stranger = random.random() < 0.1
        node_id = "stranger" if is_stranger else self.model.attempts[lease].node_id
        self.results.append((job_id, result, node_id))
        self._settle(job_id, result, node_id, random)

    @precondition(has_results)
    @rule(seed=seeds)
    def result_again(self, seed: int) -> None:
        random = self.random(seed)
        self._settle(*random.choice(self.results[-5:]), random)

    @precondition(has_pending)
    @rule(seed=seeds)
    def work(self, seed: int) -> None:
        """A worker claims, beats now and then, and answers most of what it was given."""
        random = self.random(seed)
        worker = random.choice(self.workers)
        slots = dict.fromkeys(ResourceClass, 3)
        claim_id = self.uuid() if random.random() < 0.5 else None
        request = ClaimRequest(
            worker.id, ["echo@1.10", "plan@2", "chat"], claim_id, slots, max=random.choice([1, 3])
        )
        self._claim(worker, request, random)
        for job_id, lease in worker.told[-3:]:
            if random.random() < 0.6:
                held = [HeldLease(job_id, lease, Progress(0.1))]
                self._beat(worker, Heartbeat(leases=held), random)
            if random.random() < 0.3:
                self._pass_time(random)
            if random.random() < 0.7:
                self._result(job_id, lease, random)
            self.agrees()
        if claim_id is not None and random.random() < 0.5:
            self._claim(worker, request, random)

    def _settle(self, job_id: str, result: JobResult, node_id: str, random: Random) -> None:
        draw = random.choice(DRAWN)
        unit = Unit("settle", (job_id, result, node_id, self.at), draw)
        after = self.model.copy()
        expected = after.settle(job_id, result, node_id, self.now, draw)
        answer = self.answered(unit, after, random)
        if answer is None:
            return
        if isinstance(expected, str):
            assert answer.refusal == expected
            return
        settled: Settled = answer.value
        assert (settled.reply.status, settled.reply.attempt_count) == expected
        self.accepted[job_id] += (
            settled.change is not None and settled.reply.status is JobStatus.SUCCEEDED
        )

    @precondition(has_told)
    @rule(seed=seeds)
    def worker_dies(self, seed: int) -> None:
        """Nobody knows of its leases any more; another start of it has another id."""
        random = self.random(seed)
        number = random.randrange(len(self.workers))
        self.workers[number] = self.new_worker(self.workers[number].box)
