"""Random interleavings against the real store, in a process that is killed now and then; a model
in plain Python agrees after each step.

FORGE_MODEL_EXAMPLES: how many random lives of a queue, where the usual few are not enough. What
fails is not made smaller, for that takes minutes: the rules' seeds are all there is to it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import UNSET, Raw

from forge_collector.db import SqliteEngine
from forge_collector.jobs.rules import Limits, Machine, Moment
from forge_collector.jobs.store import Claim, Claimed, Heard, Settled, Submission, Submitted, Swept
from forge_shared.job_messages import (
    AttemptOutcome,
    ClaimedJob,
    ClaimRequest,
    FileDigest,
    Heartbeat,
    HeldLease,
    Incumbent,
    JobError,
    JobResult,
    JobStatus,
    JobSubmission,
    PluginOffer,
    Progress,
    Requirements,
    ResourceClass,
    ResultStatus,
    SettledJob,
)
from tests.integration.jobs_store.compared import in_model_terms, told
from tests.integration.jobs_store.model import (
    ENDED,
    FLEET_LIMITS,
    PENDING,
    WAITING,
    WORKER_LIMITS,
    Box,
    Model,
    Now,
)
from tests.integration.jobs_store.store_process import Answer, DeadError, Death, StoreProcess, Unit

START_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
LIMITS = Limits(WORKER_LIMITS, FLEET_LIMITS)
BOXES = [
    Box("n1", "linux", 4, 8 << 30, frozenset({"office"})),
    Box("n2", "windows", 16, 64 << 30, frozenset({"office", "gpu"})),
]
TYPES = ["echo", "plan", "chat"]
MOST_KILLS = 3

REQUIREMENTS = [
    Requirements(os="linux"),
    Requirements(cores=8),
    Requirements(node="n1"),
    Requirements(node="nobody"),
    Requirements(tags=["gpu", "office"]),
    Requirements(memory_bytes=16 << 30),
    Requirements(min_version="1.5"),
]
DRAWN = [0.0, 0.1, 0.999]
DIGEST = FileDigest(3, "a" * 64)

# A rule draws one seed and chooses by it: what matters is how rules follow each other.
seeds = st.integers(0, 2**32 - 1)


def a_submission(random: Random, wall_ms: int) -> JobSubmission:
    deadline_ms = random.choice([None, None, None, None, None, -1, 1500, 200_000])
    return JobSubmission(
        type=random.choice(TYPES),
        payload=random.choice([Raw(b"null"), Raw(b'{"a": 1}')]),
        payload_file=DIGEST if random.random() < 0.1 else None,
        priority=random.choice([0, 0, 5, -5]),
        resource_class=random.choice([None, None, *ResourceClass]),
        requires=random.choice(REQUIREMENTS) if random.random() < 0.3 else Requirements(),
        dedup_key=random.choice([None, None, "once", "twice"]),
        delay_s=random.choice([0, 0, 0, 0, 2, 100]),
        deadline=None if deadline_ms is None else wall_ms + deadline_ms,
        wall_limit_s=random.choice([None, None, 1, 400]),
        no_progress_limit_s=random.choice([None, None, 1]),
        max_attempts=random.choice([None, None, 1, 2]),
    )


def a_death(random: Random) -> str:
    """Return when the process is killed that runs a unit; mostly it is not."""
    deaths = ["statement", "before commit", "after commit"]
    return random.choice(deaths) if random.random() < 0.08 else "no"


@dataclass
class Worker:
    """What a worker process knows. ``told``: leases that it was given, live or not."""

    id: str
    box: Box
    told: list[tuple[str, str]] = field(default_factory=list)
    asked: ClaimRequest | None = None  # the last claim, when it had an id


@pytest.fixture(autouse=True, scope="module")
def _an_empty_store(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Make one, to be copied: the migrations take longer than most of what follows."""
    Queue.empty_store = tmp_path_factory.mktemp("empty") / "fleet.db"
    SqliteEngine(Queue.empty_store).open_writer().close()


def has_jobs(queue: Queue) -> bool:
    return bool(queue.model.jobs)


def has_upload(queue: Queue) -> bool:
    return bool(any(job.is_uploading for job in queue.model.jobs.values()))


def has_pending(queue: Queue) -> bool:
    return bool(any(job.status is PENDING for job in queue.model.jobs.values()))


def has_asked(queue: Queue) -> bool:
    return bool(any(worker.asked for worker in queue.workers))


def has_attempts(queue: Queue) -> bool:
    return bool(queue.model.attempts)


def has_results(queue: Queue) -> bool:
    return bool(queue.results)


def has_told(queue: Queue) -> bool:
    return bool(any(worker.told for worker in queue.workers))


def has_ended(queue: Queue) -> bool:
    return bool(any(job.status in ENDED for job in queue.model.jobs.values()))


class Queue(RuleBasedStateMachine):
    empty_store: Path

    @initialize(seed=seeds)
    def open(self, seed: int) -> None:
        self.numbers = 0
        random = self.random(seed)
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name, "fleet.db")
        shutil.copyfile(self.empty_store, self._path)
        self.store = StoreProcess(self._path)
        self.model = Model()
        self.wall_ms = self.lease_ms = START_MS
        self.kills = 0
        self.accepted: Counter[str] = Counter()
        self.workers = [self.new_worker(box) for box in [*BOXES, BOXES[1]]]
        self.results: list[tuple[str, JobResult, str]] = []  # sent before, and by whom
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
                self.store.close()
                self._folder.cleanup()

    # --- what rules are made of -----------------------------------------------------------

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

    # --- submitting -----------------------------------------------------------------------

    @rule(seed=seeds)
    def submit(self, seed: int) -> None:
        random = self.random(seed)
        self._submit(self.uuid(), a_submission(random, self.wall_ms), "me", random)

    @precondition(has_jobs)
    @rule(seed=seeds)
    def submit_again(self, seed: int) -> None:
        random = self.random(seed)
        job_id = random.choice(list(self.model.jobs))
        submitter = random.choice(["me", "me", "you"])
        self._submit(job_id, a_submission(random, self.wall_ms), submitter, random)

    def _submit(self, job_id: str, wanted: JobSubmission, submitter: str, random: Random) -> None:
        self.wall_ms += 1  # so that ranks differ, as they mostly do
        unit = Unit("submit", (Submission(job_id, wanted, submitter, "Me"), self.at))
        after = self.model.copy()
        expected = after.submit(job_id, wanted, submitter, self.now)
        answer = self.answered(unit, after, random)
        if answer is None:
            return
        if isinstance(expected, str):
            assert answer.refusal == expected
            return
        submitted: Submitted = answer.value
        reply = submitted.reply
        assert (reply.id, reply.status, reply.deduplicated) == expected
        assert (submitted.change is None) == reply.deduplicated

    @precondition(has_upload)
    @rule(seed=seeds)
    def upload(self, seed: int) -> None:
        random = self.random(seed)
        uploading = [job.id for job in self.model.jobs.values() if job.is_uploading]
        job_id = random.choice(uploading)
        self.store.run(Unit("begin_file", (job_id, "payload", DIGEST, None, self.at)))
        self.store.run(Unit("finish_file", (job_id, "payload", DIGEST.sha256, self.at)))
        self.model.uploaded(job_id, self.now)

    # --- claiming -------------------------------------------------------------------------

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

    # --- working --------------------------------------------------------------------------

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
                checkpoint=Raw(b"7") if telling == "checkpoint" else UNSET,
            )
            for job_id, lease in leases
        ]
        self._beat(worker, Heartbeat(leases=held), random, is_telling=bool(telling))

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
        self._beat(random.choice(self.workers), Heartbeat(plugins=[plugin]), None)
        self.model.tell_of_plugin(plugin)

    def _beat(
        self,
        worker: Worker,
        beat: Heartbeat,
        random: Random | None,
        *,
        is_telling: bool = False,
    ) -> None:
        leases = [(one.id, one.lease) for one in beat.leases]
        unit = Unit("heartbeat", (worker.id, beat, Machine(worker.box.node_id), self.at))
        after = self.model.copy()
        telling = {lease for _, lease in leases} if is_telling else set()
        expected = after.beat(worker.id, leases, telling, self.now)
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
        outcome = random.choice([None, AttemptOutcome.CRASHED, AttemptOutcome.TIMED_OUT])
        result = JobResult(
            lease=lease,
            status=status,
            result=Raw(b'{"made": 1}' if status is ResultStatus.SUCCEEDED else b"null"),
            error=JobError("broke", "It broke.", random.random() < 0.8) if is_failure else None,
            outcome=outcome if is_failure else None,
            log_tail="the end",
            checkpoint=Raw(b"[1]") if random.random() < 0.3 else UNSET,
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
                self._beat(worker, Heartbeat(leases=held), random, is_telling=True)
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

    # --- people and time ------------------------------------------------------------------

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
        for job in self.model.jobs.values():
            if job.is_uploading and job.status not in ENDED:
                self.store.run(Unit("cancel", (job.id, self.at)))
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
