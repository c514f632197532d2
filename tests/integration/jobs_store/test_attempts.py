"""Attempts: what is told of them while they run, and what ends them but a result."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from forge_collector.jobs import rules, store
from forge_shared.job_messages import (
    AttemptOutcome,
    ClaimedJob,
    FileDigest,
    Heartbeat,
    HeldLease,
    Incumbent,
    JobStatus,
    Progress,
    ResultStatus,
)
from tests.integration.jobs_store.queue import PC, START_MS, Queue


def test_a_bound_that_comes_in_the_same_moment_counts(queue: Queue) -> None:
    queue.submit()
    (job,) = queue.claim()
    found = [Incumbent(START_MS, 55.0, 50.0), Incumbent(START_MS, 55.0, 55.0)]
    held = HeldLease(job.id, job.lease, incumbents=found)
    store.heartbeat(queue.tx, "pc.1", Heartbeat([held]), PC, queue.at)
    assert queue.job(job.id).incumbents == found[1:]


def test_incumbents_are_kept_once_and_thinned_out(queue: Queue) -> None:
    job_id = queue.submit()
    (job,) = queue.claim()
    for begin in (0, 0, 600, 1200):
        held = HeldLease(
            job.id,
            job.lease,
            Progress(0.5, "half", 7.0, 5.0, 0.2),
            [Incumbent(START_MS + begin + one, 5000.0 - begin - one) for one in range(600)],
        )
        store.heartbeat(queue.tx, "pc.1", Heartbeat([held]), PC, queue.at)
    incumbents = queue.job(job_id).incumbents
    assert 500 < len(incumbents) <= 1000
    assert incumbents[-1] == Incumbent(START_MS + 1799, 3201.0)
    assert incumbents == sorted(incumbents, key=lambda one: one.at)
    progress = queue.job(job_id).progress
    assert progress == Progress(0.5, "half", 7.0, 5.0, 0.2)


def test_very_many_attempts_leave_the_newest(queue: Queue) -> None:
    job_id = queue.submit()
    for _ in range(rules.MOST_ATTEMPTS_KEPT + 5):
        (job,) = queue.claim()
        queue.settle(job, ResultStatus.YIELDED)
        queue.pass_ms(1)
    (last,) = queue.claim()
    attempts = queue.job(job_id).attempts
    assert rules.MOST_ATTEMPTS_KEPT <= len(attempts) <= rules.MOST_ATTEMPTS_KEPT + 1
    assert attempts[-1].outcome is None
    assert attempts[0].started_at > START_MS
    assert queue.settle(last).reply.status is JobStatus.SUCCEEDED


def test_what_was_given_back_was_never_started(queue: Queue) -> None:
    for _ in range(2):
        queue.submit()
    jobs = queue.claim(most=2)
    leases = [(job.id, job.lease) for job in jobs]
    assert store.give_back(queue.tx, "pc.2", leases, queue.at) == []
    changes = store.give_back(queue.tx, "pc.1", leases, queue.at)
    assert {change.outcome for change in changes} == {AttemptOutcome.UNSTARTED}
    assert all(change.ready is not None and change.node_id == "pc" for change in changes)
    assert store.give_back(queue.tx, "pc.1", leases, queue.at) == []
    assert [job.attempt for job in queue.claim(most=2)] == [1, 1]


def left(queue: Queue, job: ClaimedJob, **more: Any) -> tuple[JobStatus, int]:
    """Give a job back whose worker died; return its status and how many attempts are charged."""
    told = queue.settle(job, ResultStatus.YIELDED, outcome=AttemptOutcome.LOST, **more)
    again = queue.settle(job, ResultStatus.YIELDED, outcome=AttemptOutcome.LOST, **more)
    assert (again.reply, again.change) == (told.reply, None)
    return told.reply.status, told.reply.attempt_count


def test_a_job_whose_workers_die_each_time_fails_in_the_end(queue: Queue) -> None:
    job_id = queue.submit(max_attempts=2)
    for answer in ((JobStatus.PENDING, 1), (JobStatus.FAILED, 2)):
        (job,) = queue.claim()
        queue.beat([job])
        assert left(queue, job) == answer
    failed = queue.job(job_id)
    assert [one.outcome for one in failed.attempts] == [AttemptOutcome.LOST, AttemptOutcome.LOST]
    assert failed.error is not None
    assert failed.error.code == "lost"
    assert "ended without having been told" in failed.error.message


def test_what_a_dead_worker_was_never_known_to_hold_costs_nothing(queue: Queue) -> None:
    job_id = queue.submit()
    (job,) = queue.claim()
    assert left(queue, job) == (JobStatus.PENDING, 0)
    assert queue.job(job_id).attempts[0].outcome is AttemptOutcome.UNSTARTED


def test_a_checkpoint_of_its_own_is_what_a_dead_worker_leaves_free_of_charge(queue: Queue) -> None:
    job_id = queue.submit()
    outcomes = []

    def attempt(*told: bytes, came_along: bytes | None = None) -> None:
        (job,) = queue.claim()
        queue.beat([job])
        for body in told:
            held = HeldLease(job.id, job.lease, checkpoint=Raw(body))
            store.heartbeat(queue.tx, "pc.1", Heartbeat([held]), PC, queue.at)
        left(queue, job, **({} if came_along is None else {"checkpoint": Raw(came_along)}))
        outcomes.append(queue.job(job_id).attempts[-1].outcome)
        queue.pass_ms(1)

    attempt(b"1")
    attempt(came_along=b"2")
    # What it began with is none, wherever it comes from; nor is there one for ever.
    attempt(b"2", came_along=b"2")
    attempt(b"3", b"2")
    attempt()
    yielded, lost = AttemptOutcome.YIELDED, AttemptOutcome.LOST
    assert outcomes == [yielded, yielded, lost, yielded, lost]
    assert queue.job(job_id).attempt_count == 2


def test_a_checkpoint_that_was_uploaded_counts_for_the_attempt_that_did(queue: Queue) -> None:
    job_id = queue.submit()
    answers = []
    for uploads in (True, False):
        (job,) = queue.claim()
        queue.beat([job])
        if uploads:
            digest = FileDigest(3, "a" * 64)
            store.begin_file(queue.tx, job_id, "checkpoint", digest, job.lease, queue.at)
            store.finish_file(queue.tx, job_id, "checkpoint", digest.sha256, queue.at)
        answers.append(left(queue, job))
    assert answers == [(JobStatus.PENDING, 0), (JobStatus.PENDING, 1)]


def test_a_job_that_is_to_be_cancelled_is_when_its_worker_died(queue: Queue) -> None:
    job_id = queue.submit()
    (job,) = queue.claim()
    queue.beat([job])
    store.cancel(queue.tx, job_id, queue.at)
    assert left(queue, job) == (JobStatus.CANCELLED, 1)


def test_limits_of_a_job_that_its_worker_does_not_keep(queue: Queue) -> None:
    job_id = queue.submit(no_progress_limit_s=100, max_attempts=1)
    (job,) = queue.claim()
    for _ in range(4):
        queue.pass_ms(159_999)
        held = HeldLease(job.id, job.lease, Progress(0.1))
        store.heartbeat(queue.tx, "pc.1", Heartbeat([held]), PC, queue.at)
        assert queue.sweep() == []
    queue.pass_ms(160_000)
    queue.beat([job])
    assert [change.outcome for change in queue.sweep()] == [AttemptOutcome.TIMED_OUT]
    error = queue.job(job_id).error
    assert error is not None
    assert error.code == "timed_out"


def test_a_start_of_the_collector_charges_nobody(queue: Queue) -> None:
    queue.submit(wall_limit_s=1)
    (job,) = queue.claim()
    queue.beat([job])
    queue.pass_ms(24 * 3_600_000)
    assert store.resume(queue.tx, queue.at) == 1
    assert queue.sweep() == []
    queue.pass_ms(61_000)
    assert [change.outcome for change in queue.sweep()] == [AttemptOutcome.TIMED_OUT]
