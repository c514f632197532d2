"""The queue as docs/jobs.md tells of it, in plain Python: what the store is held to."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import UNSET

from forge_shared.job_messages import (
    AttemptOutcome,
    HeldLease,
    JobResult,
    JobStatus,
    JobSubmission,
    PluginOffer,
    ResourceClass,
    ResultStatus,
)

TTL_MS = 300_000
GRACE_MS = 60_000
DAY_MS = 24 * 3600 * 1000
WORKER_LIMITS = {ResourceClass.CPU: 2, ResourceClass.IO: 3, ResourceClass.LLM: 1}
FLEET_LIMITS = {ResourceClass.LLM: 1, ResourceClass.CPU: 3}

WAITING, PENDING, RUNNING = JobStatus.WAITING, JobStatus.PENDING, JobStatus.RUNNING
SUCCEEDED, FAILED, CANCELLED = JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED
ENDED = {SUCCEEDED, FAILED, CANCELLED}

Told = tuple[str, str, str, str, str]  # what makes two results the same


class Now(NamedTuple):
    wall: int
    lease: int


class Box(NamedTuple):
    """A machine."""

    node_id: str
    os: str
    cores: int
    memory: int
    tags: frozenset[str]


@dataclass
class ModelJob:
    id: str
    wanted: JobSubmission
    submitter: str
    created_at: int
    status: JobStatus
    rank: int
    available_at: int | None
    deadline: int | None
    is_uploading: bool
    payload_at: int  # when something of its payload came last, if that is uploaded
    attempts: int = 0
    lease: str | None = None
    cancel_requested: bool = False
    checkpoint: bytes | None = None
    successes: int = 0


@dataclass
class ModelAttempt:
    lease: str
    job_id: str
    number: int
    worker_id: str
    node_id: str
    resource_class: ResourceClass
    claim_id: str | None
    expires: int
    started: int
    progress: int
    heard: bool = False
    saved: bool = False  # a checkpoint of its own
    outcome: AttemptOutcome | None = None
    told: Told | None = None
    reply: tuple[JobStatus, int] | None = None

    @property
    def is_live(self) -> bool:
        return self.outcome is None


@dataclass
class Model:
    jobs: dict[str, ModelJob] = field(default_factory=dict)
    attempts: dict[str, ModelAttempt] = field(default_factory=dict)
    plugins: dict[str, dict[tuple[int, ...], PluginOffer]] = field(default_factory=dict)
    offers: dict[str, PluginOffer] = field(default_factory=dict)  # of each worker, the last

    def copy(self) -> Model:
        return Model(
            {key: copy.copy(job) for key, job in self.jobs.items()},
            {key: copy.copy(attempt) for key, attempt in self.attempts.items()},
            {key: dict(known) for key, known in self.plugins.items()},
            dict(self.offers),
        )

    # --- what is so -----------------------------------------------------------------------

    def newest(self, type_: str) -> PluginOffer:
        known = self.plugins.get(type_)
        if not known:
            return PluginOffer(type_, "0")
        return known[max(known)]

    def class_of(self, job: ModelJob) -> ResourceClass:
        return job.wanted.resource_class or self.newest(job.wanted.type).resource_class

    def live(self) -> list[ModelAttempt]:
        return [attempt for attempt in self.attempts.values() if attempt.is_live]

    def unfinished_with(self, type_: str, key: str | None) -> ModelJob | None:
        if key is None:
            return None
        found = [
            job
            for job in self.jobs.values()
            if job.wanted.type == type_ and job.wanted.dedup_key == key and job.status not in ENDED
        ]
        assert len(found) < 2
        return found[0] if found else None

    # --- submitting -----------------------------------------------------------------------

    def submit(
        self, job_id: str, wanted: JobSubmission, submitter: str, now: Now
    ) -> tuple[str, JobStatus, bool] | str:
        """Return id, status and whether it was there; or the code of the refusal."""
        if job_id in self.jobs:
            there = self.jobs[job_id]
            return "id_taken" if there.submitter != submitter else (job_id, there.status, True)
        if (same := self.unfinished_with(wanted.type, wanted.dedup_key)) is not None:
            return same.id, same.status, True
        first = now.wall + wanted.delay_s * 1000
        if wanted.deadline is not None and wanted.deadline <= first:
            return "deadline_passed"
        waits = wanted.delay_s > 0 or wanted.payload_file is not None
        status = WAITING if waits else PENDING
        self.jobs[job_id] = ModelJob(
            job_id,
            wanted,
            submitter,
            now.wall,
            status,
            first - wanted.priority * 60_000,
            first if waits else None,
            wanted.deadline,
            wanted.payload_file is not None,
            now.wall,
        )
        return job_id, status, False

    def uploaded(self, job_id: str, now: Now, *, is_whole: bool) -> None:
        job = self.jobs[job_id]
        job.payload_at = now.wall
        if not is_whole:
            return
        job.is_uploading = False
        if job.status is WAITING and job.available_at is not None:
            self._start_if_due(job, now)

    # --- claiming -------------------------------------------------------------------------

    def claimed_before(self, claim_id: str | None, worker_id: str) -> list[ModelAttempt]:
        if claim_id is None:
            return []
        return [
            attempt
            for attempt in self.attempts.values()
            if attempt.claim_id == claim_id and attempt.worker_id == worker_id
        ]

    def claim_again(self, claim_id: str, worker_id: str, now: Now) -> set[str]:
        """Return the leases that this claim has."""
        again = [one for one in self.claimed_before(claim_id, worker_id) if one.is_live]
        for attempt in again:
            attempt.expires = now.lease + TTL_MS
        return {attempt.lease for attempt in again}

    def may_take(
        self, job: ModelJob, box: Box, types: Mapping[str, tuple[int, ...] | None], now: Now
    ) -> bool:
        needs = job.wanted.requires
        version = types.get(job.wanted.type)
        least = needs.min_version
        return (
            job.status is PENDING
            and job.wanted.type in types
            and (job.deadline is None or job.deadline > now.wall)
            and (needs.node is None or needs.node == box.node_id)
            and (needs.os is None or needs.os == box.os)
            and (needs.cores is None or needs.cores <= box.cores)
            and (needs.memory_bytes is None or needs.memory_bytes <= box.memory)
            and set(needs.tags) <= box.tags
            and (
                least is None
                or (version is not None and version >= tuple(map(int, least.split("."))))
            )
        )

    def best(  # noqa: PLR0917  who asks, and for what
        self,
        worker_id: str,
        box: Box,
        types: Mapping[str, tuple[int, ...] | None],
        slots: Mapping[ResourceClass, int],
        most: int,
        now: Now,
    ) -> list[ModelJob]:
        """Return the jobs that a claim is given; which of two of the same rank does not matter."""
        held = Counter(one.resource_class for one in self.live() if one.worker_id == worker_id)
        running = Counter(one.resource_class for one in self.live())
        room = {
            one: min(
                slots.get(one, 0),
                WORKER_LIMITS.get(one, 1000) - held[one],
                FLEET_LIMITS.get(one, 1000) - running[one],
            )
            for one in ResourceClass
        }
        found: list[ModelJob] = []
        for job in sorted(self.jobs.values(), key=lambda one: one.rank):
            if len(found) < most and self.may_take(job, box, types, now):
                resource_class = self.class_of(job)
                if room[resource_class] > 0:
                    room[resource_class] -= 1
                    found.append(job)
        return found

    def lease(  # noqa: PLR0917  who has it, and since when
        self, job_id: str, lease: str, worker_id: str, node_id: str, claim_id: str | None, now: Now
    ) -> None:
        job = self.jobs[job_id]
        assert job.status is PENDING
        assert lease not in self.attempts
        job.status = RUNNING
        job.attempts += 1
        job.lease = lease
        job.available_at = None
        self.attempts[lease] = ModelAttempt(
            lease,
            job_id,
            job.attempts,
            worker_id,
            node_id,
            self.class_of(job),
            claim_id,
            now.lease + TTL_MS,
            now.lease,
            now.lease,
        )

    # --- how attempts end -----------------------------------------------------------------

    def end(
        self, attempt: ModelAttempt, outcome: AttemptOutcome, now: Now, drawn: float, again: bool
    ) -> None:
        """End a live attempt. ``again``: it may be tried again, as far as the error goes."""
        job = self.jobs[attempt.job_id]
        plugin = self.newest(job.wanted.type)
        assert attempt.is_live
        assert job.status is RUNNING
        assert job.lease == attempt.lease
        charged = outcome not in {
            AttemptOutcome.YIELDED, AttemptOutcome.UNSTARTED, AttemptOutcome.CANCELLED
        }  # fmt: skip
        if not charged:
            job.attempts -= 1
            if job.cancel_requested:
                outcome = AttemptOutcome.CANCELLED
        attempt.outcome = outcome
        if outcome is AttemptOutcome.SUCCEEDED:
            job.status = SUCCEEDED
            job.successes += 1
        elif job.cancel_requested:
            job.status = CANCELLED
        elif not charged:
            job.status = PENDING
        elif not again or job.attempts >= (job.wanted.max_attempts or plugin.attempts):
            job.status = FAILED
        elif outcome is AttemptOutcome.LOST:
            job.status = PENDING
        else:
            ceiling_s = min(600, plugin.backoff_s * 2 ** (job.attempts - 1))
            wait = int(ceiling_s * 1000 * drawn)
            job.status = WAITING if wait else PENDING
            job.available_at = now.wall + wait if wait else None
        if job.status not in ENDED:
            job.lease = None
        attempt.reply = (job.status, job.attempts)

    def settle(
        self, job_id: str, result: JobResult, node_id: str, now: Now, drawn: float
    ) -> tuple[JobStatus, int] | str:
        """Return what is answered, or the code of the refusal."""
        attempt = self.attempts.get(result.lease)
        if attempt is None or attempt.job_id != job_id or attempt.node_id != node_id:
            return "stale_lease"
        told = told_by(result)
        if attempt.is_live:
            again = result.error is None or result.error.retryable
            if result.status is not ResultStatus.SUCCEEDED and result.checkpoint is not UNSET:
                self.save(attempt, bytes(result.checkpoint))
            self.end(attempt, outcome_of(result, attempt), now, drawn, again)
            if result.status is ResultStatus.SUCCEEDED:
                attempt.heard = True
            attempt.told = told
        elif attempt.told != told:
            return "stale_lease"
        assert attempt.reply is not None
        return attempt.reply

    def save(self, attempt: ModelAttempt, checkpoint: bytes) -> None:
        job = self.jobs[attempt.job_id]
        attempt.saved = attempt.saved or checkpoint != job.checkpoint
        job.checkpoint = checkpoint

    def give_back(self, worker_id: str, leases: Iterable[str], now: Now) -> None:
        for lease in leases:
            attempt = self.attempts[lease]
            if attempt.is_live and not attempt.heard and attempt.worker_id == worker_id:
                self.end(attempt, AttemptOutcome.UNSTARTED, now, 0, again=True)

    # --- heartbeats -----------------------------------------------------------------------

    def beat(
        self, worker_id: str, held: Iterable[HeldLease], now: Now
    ) -> tuple[set[str], set[str], set[str]]:
        """Return which jobs are renewed, lost and to be cancelled."""
        renewed, lost, cancel = set(), set(), set()
        for one in held:
            job_id, lease = one.id, one.lease
            attempt = self.attempts.get(lease)
            if (
                attempt is None
                or not attempt.is_live
                or (attempt.job_id, attempt.worker_id) != (job_id, worker_id)
            ):
                lost.add(job_id)
                continue
            attempt.heard = True
            attempt.expires = now.lease + TTL_MS
            if one.progress is not None or one.incumbents or one.checkpoint is not UNSET:
                attempt.progress = now.lease
            if one.checkpoint is not UNSET:
                self.save(attempt, bytes(one.checkpoint))
            renewed.add(job_id)
            if self.jobs[job_id].cancel_requested:
                cancel.add(job_id)
        return renewed, lost, cancel

    def tell_of_plugin(self, worker_id: str, plugin: PluginOffer) -> None:
        self.offers[worker_id] = plugin
        self.plugins.setdefault(plugin.name, {})[_version(plugin)] = plugin
        for name in {one.name for one in self.offers.values()}:
            offered = {_version(one) for one in self.offers.values() if one.name == name}
            for old in self.plugins[name].keys() - offered:
                del self.plugins[name][old]

    # --- people ---------------------------------------------------------------------------

    def cancel(self, job_id: str) -> str | None:
        """Return the code of the refusal, if it is refused."""
        job = self.jobs[job_id]
        if job.status in {SUCCEEDED, FAILED}:
            return "job_finished"
        if job.status is RUNNING:
            job.cancel_requested = True
        elif job.status is not CANCELLED:
            job.status = CANCELLED
            job.cancel_requested = True
        return None

    def retry(self, job_id: str, now: Now) -> str | None:
        job = self.jobs[job_id]
        if job.status is SUCCEEDED:
            return "job_finished"
        if job.status not in ENDED:
            return "job_unfinished"
        if self.unfinished_with(job.wanted.type, job.wanted.dedup_key) is not None:
            return "job_unfinished"
        job.status = WAITING if job.is_uploading else PENDING
        job.available_at = now.wall if job.is_uploading else None
        job.payload_at = now.wall
        job.rank = now.wall - job.wanted.priority * 60_000
        job.attempts = 0
        job.lease = None
        job.cancel_requested = False
        if job.deadline is not None and job.deadline <= now.wall:
            job.deadline = None
        return None

    # --- time -----------------------------------------------------------------------------

    def sweep(self, now: Now, drawn: float) -> None:
        for attempt in self.live():
            if attempt.expires <= now.lease:
                outcome = AttemptOutcome.LOST if attempt.heard else AttemptOutcome.UNSTARTED
                self.end(attempt, outcome, now, drawn, again=True)
        for attempt in self.live():
            wanted = self.jobs[attempt.job_id].wanted
            limits = [
                (attempt.started, wanted.wall_limit_s),
                (attempt.progress, wanted.no_progress_limit_s),
            ]
            if any(
                limit is not None and since + limit * 1000 + GRACE_MS <= now.lease
                for since, limit in limits
            ):
                self.end(attempt, AttemptOutcome.TIMED_OUT, now, drawn, again=True)
        for job in self.jobs.values():
            is_over = job.deadline is not None and job.deadline <= now.wall
            is_missing = job.is_uploading and job.payload_at + DAY_MS <= now.wall
            if (is_over and job.status in {WAITING, PENDING}) or (
                is_missing and job.status is WAITING and job.created_at + DAY_MS <= now.wall
            ):
                job.status = FAILED
        for job in self.jobs.values():
            self._start_if_due(job, now)

    def resume(self, now: Now) -> None:
        for attempt in self.live():
            attempt.expires = now.lease + TTL_MS
            attempt.started = attempt.progress = now.lease

    def _start_if_due(self, job: ModelJob, now: Now) -> None:
        is_due = job.available_at is not None and job.available_at <= now.wall
        if job.status is WAITING and is_due and not job.is_uploading:
            job.status = PENDING
            job.available_at = None


def outcome_of(result: JobResult, attempt: ModelAttempt) -> AttemptOutcome:
    if result.status is ResultStatus.SUCCEEDED:
        return AttemptOutcome.SUCCEEDED
    if result.status is ResultStatus.YIELDED:
        if result.outcome is AttemptOutcome.LOST and not attempt.saved:
            return AttemptOutcome.LOST if attempt.heard else AttemptOutcome.UNSTARTED
        return AttemptOutcome.YIELDED
    return result.outcome or AttemptOutcome.FAILED


def told_by(result: JobResult) -> Told:
    return (
        result.status,
        bytes(result.result).decode(),
        repr(result.result_file),
        repr(result.error),
        repr(result.outcome),
    )


def _version(plugin: PluginOffer) -> tuple[int, ...]:
    return tuple(map(int, plugin.version.split(".")))
