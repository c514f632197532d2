"""Payloads, results and checkpoints, in messages and as files."""

from __future__ import annotations

from msgspec import UNSET, Raw

from forge_collector.jobs import rules, store
from forge_shared.job_messages import (
    AttemptOutcome,
    FileDigest,
    Heartbeat,
    HeldLease,
    JobStatus,
    ResultStatus,
)
from tests.integration.jobs_store.queue import PC, Queue, refused

PENDING, WAITING, FAILED = JobStatus.PENDING, JobStatus.WAITING, JobStatus.FAILED
DIGEST = FileDigest(5, "a" * 64)
OTHER = FileDigest(5, "b" * 64)


def test_bodies_come_back_as_they_came(queue: Queue) -> None:
    payload, result = b'{ "a":  1e3, "\xc3\xa9": [] }', b' {"z": 1, "a": 2}'
    job_id = queue.submit(payload=Raw(payload), name="First")
    (claimed,) = queue.claim()
    assert bytes(claimed.payload) == payload
    queue.settle(claimed, result=Raw(result), log_tail="the end")
    job = queue.job(job_id)
    assert (bytes(job.payload), bytes(job.result)) == (payload, result)
    assert [(one.number, one.outcome, one.log_tail) for one in job.attempts] == [
        (1, AttemptOutcome.SUCCEEDED, "the end")
    ]
    without = store.job(queue.tx, job_id, rules.USUAL_LIMITS, queue.at, with_payload=False)
    assert without is not None
    assert bytes(without.payload) == b"null"


def test_a_checkpoint_is_what_the_next_attempt_starts_from(queue: Queue) -> None:
    queue.submit(type="echo")
    (first,) = queue.claim()
    assert first.checkpoint is UNSET
    beat = Heartbeat([HeldLease(first.id, first.lease, checkpoint=Raw(b"[1]"))])
    store.heartbeat(queue.tx, "pc.1", beat, PC, queue.at)
    queue.settle(first, ResultStatus.YIELDED)
    (second,) = queue.claim()
    assert bytes(second.checkpoint) == b"[1]"  # type: ignore[arg-type]
    queue.settle(second, ResultStatus.YIELDED, checkpoint=Raw(b"[2]"))
    (third,) = queue.claim()
    assert bytes(third.checkpoint) == b"[2]"  # type: ignore[arg-type]
    store.begin_file(queue.tx, third.id, "checkpoint", DIGEST, third.lease, queue.at)
    store.finish_file(queue.tx, third.id, "checkpoint", DIGEST.sha256, queue.at)
    queue.settle(third, ResultStatus.YIELDED)
    (fourth,) = queue.claim()
    assert (fourth.checkpoint, fourth.checkpoint_file) == (UNSET, DIGEST)
    # A newer one is begun, and never ends: the old one is still good.
    store.begin_file(queue.tx, fourth.id, "checkpoint", OTHER, fourth.lease, queue.at)
    queue.settle(fourth, ResultStatus.YIELDED)
    (fifth,) = queue.claim()
    assert fifth.checkpoint_file == DIGEST
    with refused("stale_lease"):
        store.finish_file(queue.tx, fifth.id, "checkpoint", OTHER.sha256, queue.at)
    queue.settle(fifth)
    assert not queue.tx.execute("SELECT 1 FROM job_checkpoints").fetchall()


def test_a_payload_that_is_uploaded(queue: Queue) -> None:
    job_id = queue.submit(payload_file=DIGEST)
    assert queue.status(job_id) is WAITING
    assert queue.job(job_id).waits_because == "Its payload is being uploaded."
    assert not store.is_due(queue.tx, queue.at)
    with refused("file_conflict"):
        store.begin_file(queue.tx, job_id, "payload", OTHER, None, queue.at)
    begun = store.begin_file(queue.tx, job_id, "payload", DIGEST, None, queue.at)
    assert (begun.received, begun.is_whole) == (0, False)
    store.note_received(queue.tx, job_id, "payload", DIGEST.sha256, 3, queue.at)
    assert store.begin_file(queue.tx, job_id, "payload", DIGEST, None, queue.at).received == 3
    change = store.finish_file(queue.tx, job_id, "payload", DIGEST.sha256, queue.at)
    assert change is not None
    assert (change.before, change.after) == (WAITING, PENDING)
    assert change.ready is not None
    assert store.finish_file(queue.tx, job_id, "payload", DIGEST.sha256, queue.at) is None
    again = store.begin_file(queue.tx, job_id, "payload", DIGEST, None, queue.at)
    assert (again.received, again.is_whole) == (5, True)
    (claimed,) = queue.claim()
    assert claimed.payload_file == DIGEST
    assert [(one.name, one.received) for one in queue.job(job_id).files] == [("payload", 5)]
    with refused("file_conflict"):
        store.begin_file(queue.tx, queue.submit(), "payload", DIGEST, None, queue.at)


def test_an_upload_waits_for_its_delay_and_the_delay_for_it(queue: Queue) -> None:
    job_id = queue.submit(payload_file=DIGEST, delay_s=10)
    assert store.finish_file(queue.tx, job_id, "payload", DIGEST.sha256, queue.at) is None
    assert queue.status(job_id) is WAITING
    assert queue.job(job_id).waits_because == "It is to start in 10 s."
    queue.pass_ms(10_000)
    assert [change.after for change in queue.sweep()] == [PENDING]


def test_a_payload_that_never_comes(queue: Queue) -> None:
    job_id = queue.submit(payload_file=DIGEST)
    queue.pass_ms(rules.PAYLOAD_MISSING_MS - 1)
    assert not store.is_due(queue.tx, queue.at)
    store.note_received(queue.tx, job_id, "payload", DIGEST.sha256, 3, queue.at)
    queue.pass_ms(rules.PAYLOAD_MISSING_MS - 1)
    assert queue.sweep() == []
    queue.pass_ms(1)
    assert store.is_due(queue.tx, queue.at)
    assert [change.after for change in queue.sweep()] == [FAILED]
    error = queue.job(job_id).error
    assert error is not None
    assert error.code == "payload_missing"
    assert not store.is_due(queue.tx, queue.at)
    # It has as long again from the retry on.
    store.retry(queue.tx, job_id, queue.at)
    queue.pass_ms(rules.PAYLOAD_MISSING_MS - 1)
    assert queue.sweep() == []
    store.finish_file(queue.tx, job_id, "payload", DIGEST.sha256, queue.at)
    assert queue.status(job_id) is PENDING
    queue.pass_ms(rules.PAYLOAD_MISSING_MS)
    assert queue.sweep() == []


def test_a_result_that_was_uploaded(queue: Queue) -> None:
    job_id = queue.submit()
    (job,) = queue.claim()
    with refused("file_incomplete"):
        queue.settle(job, result_file=DIGEST)
    with refused("stale_lease"):
        store.begin_file(queue.tx, job_id, "result", DIGEST, "other", queue.at)
    store.begin_file(queue.tx, job_id, "result", DIGEST, job.lease, queue.at)
    with refused("file_incomplete"):
        queue.settle(job, result_file=DIGEST)
    store.finish_file(queue.tx, job_id, "result", DIGEST.sha256, queue.at)
    with refused("file_incomplete"):
        queue.settle(job, result_file=OTHER)
    reply = queue.settle(job, result_file=DIGEST).reply
    assert queue.settle(job, result_file=DIGEST).reply == reply
    with refused("stale_lease"):
        queue.settle(job, result_file=OTHER)
    assert bytes(queue.job(job_id).result) == b"null"


def test_a_file_shows_that_the_lease_is_known(queue: Queue) -> None:
    queue.submit()
    (job,) = queue.claim()
    assert store.holds(queue.tx, job.id, job.lease, "pc")
    assert not store.holds(queue.tx, job.id, job.lease, "nas")
    assert store.hear_lease(queue.tx, job.id, job.lease)
    assert store.give_back(queue.tx, "pc.1", [(job.id, job.lease)], queue.at) == []
    queue.pass_ms(rules.LEASE_TTL_MS)
    assert [change.outcome for change in queue.sweep()] == [AttemptOutcome.LOST]
    assert not store.hear_lease(queue.tx, job.id, job.lease)
