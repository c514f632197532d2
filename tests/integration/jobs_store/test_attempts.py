"""Attempts: what is told of them while they run, and what ends them but a result."""

from __future__ import annotations

from forge_collector.jobs import rules, store
from forge_shared.job_messages import (
    AttemptOutcome,
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
