"""A queue to try things on, in a transaction, with a time that tests move."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from msgspec import Raw

from forge_collector.db import Tx
from forge_collector.jobs import rules, store
from forge_collector.jobs.rules import Limits, Machine, Moment, RefusedError
from forge_collector.jobs.store import Claimed, Heard, Settled, Submission, Submitted
from forge_shared.job_messages import (
    ClaimedJob,
    ClaimRequest,
    Heartbeat,
    HeldLease,
    Job,
    JobResult,
    JobStatus,
    JobSubmission,
    ResourceClass,
    ResultStatus,
    SettledJob,
)

START_MS = 1_800_000_000_000
MANY = dict.fromkeys(ResourceClass, 100)
NO_LIMITS = Limits({}, {})
PC = Machine("pc", "linux", 8, 16 << 30, frozenset({"office"}))


class Queue:
    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self.now_ms = self.lease_ms = START_MS
        self.limits = NO_LIMITS
        self._number = 0

    @property
    def at(self) -> Moment:
        return Moment(self.now_ms, self.lease_ms)

    def pass_ms(self, passed_ms: int) -> None:
        self.now_ms += passed_ms
        self.lease_ms += passed_ms

    def uuid(self) -> str:
        self._number += 1
        return f"00000000-0000-7000-8000-{self._number:012x}"

    def submit(self, *, submitted_by: str = "me", **wanted: Any) -> str:
        return self.submitted(self.uuid(), submitted_by=submitted_by, **wanted).reply.id

    def submitted(self, job_id: str, *, submitted_by: str = "me", **wanted: Any) -> Submitted:
        wanted.setdefault("type", "echo")
        submission = Submission(job_id, JobSubmission(**wanted), submitted_by, "Me")
        return store.submit(self.tx, submission, self.at)

    def claimed(  # noqa: PLR0917  what a request may have
        self,
        worker_id: str = "pc.1",
        most: int = 1,
        machine: Machine = PC,
        types: Sequence[str] = ("echo",),
        claim_id: str | None = None,
        results: Sequence[SettledJob] = (),
    ) -> Claimed:
        request = ClaimRequest(worker_id, list(types), claim_id, MANY, most, results=list(results))
        token = self.uuid()[-16:]
        wanted = store.Claim(request, machine, token)
        return store.claim(self.tx, wanted, self.limits, self.at, lambda: 0.5)

    def claim(self, *given: Any, **named: Any) -> list[ClaimedJob]:
        return self.claimed(*given, **named).jobs

    def settle(
        self,
        job: ClaimedJob,
        status: ResultStatus = ResultStatus.SUCCEEDED,
        node_id: str = "pc",
        **result: Any,
    ) -> Settled:
        told = JobResult(job.lease, status, **result)
        return store.settle(self.tx, job.id, told, node_id, self.at, lambda: 0.5)

    def beat(self, jobs: Iterable[ClaimedJob] = (), worker_id: str = "pc.1", **beat: Any) -> Heard:
        held = [HeldLease(job.id, job.lease) for job in jobs]
        return store.heartbeat(self.tx, worker_id, Heartbeat(held, **beat), PC, self.at)

    def sweep(self) -> list[store.Change]:
        return store.sweep(self.tx, self.at, lambda: 0.5).changes

    def job(self, job_id: str) -> Job:
        found = store.job(self.tx, job_id, rules.USUAL_LIMITS, self.at)
        assert found is not None
        return found

    def status(self, job_id: str) -> JobStatus:
        return self.job(job_id).status


def done(job: ClaimedJob, result: bytes = b"1") -> SettledJob:
    return SettledJob(job.lease, ResultStatus.SUCCEEDED, Raw(result), id=job.id)


def refused(code: str) -> Any:
    return pytest.raises(RefusedError, check=lambda error: error.code == code)
