"""Claims: which jobs they take, in which order, and the results they bring along."""

from __future__ import annotations

from msgspec import Raw

from forge_collector.jobs import rules, store
from forge_collector.jobs.rules import Limits
from forge_shared.job_messages import JobStatus, Requirements, ResourceClass, ResultStatus
from tests.integration.jobs_store.queue import START_MS, Queue, done, refused

PENDING, RUNNING, SUCCEEDED = JobStatus.PENDING, JobStatus.RUNNING, JobStatus.SUCCEEDED


def test_one_bad_result_spoils_nothing_of_the_others(queue: Queue) -> None:
    for _ in range(4):
        queue.submit()
    first, second, third = queue.claim(most=3)
    third.lease += "x"
    claimed = queue.claimed(
        most=1, results=[done(third), done(first), done(first), done(first, b"2"), done(second)]
    )
    assert [(one.id, one.status) for one in claimed.settled] == [
        (first.id, SUCCEEDED),
        (first.id, SUCCEEDED),
        (second.id, SUCCEEDED),
    ]
    assert [(one.id, one.code) for one in claimed.refused] == [
        (third.id, "stale_lease"),
        (first.id, "stale_lease"),
    ]
    assert len(claimed.jobs) == 1
    assert [change.after for change in claimed.changes] == [SUCCEEDED, SUCCEEDED, RUNNING]
    assert bytes(queue.job(first.id).result) == b"1"


def test_results_make_room_for_the_claim_they_come_with(queue: Queue) -> None:
    queue.limits = Limits({ResourceClass.CPU: 1}, {ResourceClass.CPU: 1})
    for _ in range(2):
        queue.submit()
    (job,) = queue.claim(most=2)
    assert queue.claim() == []
    assert len(queue.claim(results=[done(job)])) == 1


def test_a_claim_asked_again_gets_the_same_leases(queue: Queue) -> None:
    for _ in range(3):
        queue.submit(payload=Raw(b"[7]"))
    first = queue.claim(most=2, claim_id="c1")
    queue.pass_ms(rules.LEASE_TTL_MS - 1)
    assert queue.claim(most=2, claim_id="c1") == first
    # They were renewed by that, though nobody has shown to know them.
    queue.pass_ms(rules.LEASE_TTL_MS - 1)
    assert queue.sweep() == []
    queue.settle(first[0])
    assert queue.claim(most=2, claim_id="c1") == first[1:]
    queue.settle(first[1])
    assert queue.claim(most=2, claim_id="c1") == []
    assert queue.claim("pc.2", most=2, claim_id="c1") != []


def test_ranks_hold_across_lanes(queue: Queue) -> None:
    """Jobs with other needs stand in other lanes; who is first is first all the same."""
    ids = []
    for number in range(12):
        requires = [Requirements(), Requirements(cores=2), Requirements(node="pc")][number % 3]
        ids.append(queue.submit(requires=requires, type=["echo", "plan"][number % 2]))
        queue.pass_ms(1)
    types = ["echo", "plan"]
    assert [job.id for job in queue.claim(types=types)] == ids[:1]
    assert [job.id for job in queue.claim(most=7, types=types)] == ids[1:8]
    assert [job.id for job in queue.claim(most=9, types=types)] == ids[8:]


def test_a_job_past_its_deadline_is_not_started_and_hides_none(queue: Queue) -> None:
    late = queue.submit(deadline=START_MS + 10)
    queue.pass_ms(20)
    other = queue.submit(requires=Requirements(cores=1))
    queue.pass_ms(20)
    good = queue.submit()
    assert [job.id for job in queue.claim()] == [other]
    assert [job.id for job in queue.claim(most=5)] == [good]
    assert [change.job_id for change in queue.sweep()] == [late]
    error = queue.job(late).error
    assert error is not None
    assert error.code == "deadline_passed"


def test_an_empty_lane_may_go_at_any_time(queue: Queue) -> None:
    job_id = queue.submit()
    assert store.prune_lanes(queue.tx) == 0
    (job,) = queue.claim()
    assert store.prune_lanes(queue.tx) == 1
    queue.settle(job, ResultStatus.YIELDED)
    assert [job.id for job in queue.claim()] == [job_id]


def test_why_a_job_waits_is_told(queue: Queue) -> None:
    job_id = queue.submit(type="plan")
    assert "No worker is there" in (queue.job(job_id).waits_because or "")
    queue.claim()
    assert queue.job(job_id).waits_because == "No worker offers plan."
    queue.claim("pc.2", 0, types=["plan"])
    assert queue.job(job_id).waits_because == "A worker can take it as soon as its turn comes."


def test_retrying_asks_for_the_key_again(queue: Queue) -> None:
    first = queue.submit(dedup_key="once")
    store.cancel(queue.tx, first, queue.at)
    second = queue.submit(dedup_key="once")
    assert second != first
    with refused("job_unfinished"):
        store.retry(queue.tx, first, queue.at)
    (job,) = queue.claim()
    queue.settle(job)
    assert store.retry(queue.tx, first, queue.at).after is PENDING
    assert queue.submitted(queue.uuid(), dedup_key="once").reply.id == first
