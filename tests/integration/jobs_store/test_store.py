"""What the model does not look at: bodies, files, lists, workers, and what is let go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest
from msgspec import UNSET, Raw

from forge_collector.db import Rows, Tx, Value
from forge_collector.jobs import rules, store
from forge_collector.jobs.rules import Limits, Machine, RefusedError
from forge_collector.jobs.store import reading
from forge_shared.job_messages import (
    AttemptOutcome,
    FileDigest,
    Heartbeat,
    HeldLease,
    Incumbent,
    JobError,
    JobStatus,
    PluginOffer,
    Progress,
    Requirements,
    ResourceClass,
    ResultStatus,
    WorkerState,
)
from tests.integration.jobs_store.queue import PC, START_MS, Queue, done

PENDING, RUNNING, WAITING = JobStatus.PENDING, JobStatus.RUNNING, JobStatus.WAITING
SUCCEEDED, FAILED, CANCELLED = JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED
DIGEST = FileDigest(5, "a" * 64)
OTHER = FileDigest(5, "b" * 64)
DAY_MS = 24 * 3600 * 1000


def refused(code: str) -> Any:
    return pytest.raises(RefusedError, check=lambda error: error.code == code)


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


def test_the_class_is_the_type_s_as_soon_as_it_is_known(queue: Queue) -> None:
    queue.limits = Limits({ResourceClass.IO: 1}, {})
    unnamed = queue.submit()
    named = queue.submit(resource_class=ResourceClass.CPU)
    running = queue.claim("pc.2")[0]
    assert queue.job(named).resource_class is ResourceClass.CPU
    queue.settle(running, ResultStatus.YIELDED)
    heard = queue.beat(plugins=[PluginOffer("echo", "1.9", ResourceClass.IO, "Echo")])
    assert heard.plugins_changed
    (change,) = heard.changes
    assert change.ready is not None
    assert (change.job_id, change.ready.resource_class) == (unnamed, ResourceClass.IO)
    # An older version changes nothing, a newer one does.
    queue.beat(plugins=[PluginOffer("echo", "1.2", ResourceClass.LLM)])
    assert queue.job(unnamed).resource_class is ResourceClass.IO
    queue.beat(plugins=[PluginOffer("echo", "1.10", ResourceClass.LLM)])
    assert {job.id: job.resource_class for job in queue.claim(most=5)} == {
        unnamed: ResourceClass.LLM,
        named: ResourceClass.CPU,
    }


def test_how_often_is_said_by_the_job_or_else_by_its_type(queue: Queue) -> None:
    queue.beat(plugins=[PluginOffer("echo", "1", attempts=1)])
    usual, own = queue.submit(), queue.submit(max_attempts=2)
    assert (queue.job(usual).max_attempts, queue.job(own).max_attempts) == (1, 2)
    for job in queue.claim(most=2):
        queue.settle(job, ResultStatus.FAILED, error=JobError("broke", "No."))
    assert (queue.status(usual), queue.status(own)) == (FAILED, WAITING)


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
    assert queue.settle(last).reply.status is SUCCEEDED


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


def test_heartbeats_tell_of_the_worker(queue: Queue) -> None:
    queue.submit()
    queue.claim()
    plugins = [PluginOffer("echo", "1.0", ResourceClass.IO, "Echo", payload_schema=Raw(b"{}"))]
    queue.beat(
        plugins=plugins,
        slots={ResourceClass.CPU: 2},
        state=WorkerState.PAUSED,
        reason="somebody uses it",
    )
    queue.beat(slots={ResourceClass.CPU: 2}, state=WorkerState.PAUSED, reason="on battery")
    (worker,) = store.workers(queue.tx, queue.at)
    assert (worker.id, worker.node_id, worker.state) == ("pc.1", "pc", WorkerState.PAUSED)
    assert (worker.reason, worker.slots) == ("on battery", {ResourceClass.CPU: 2})
    assert [(one.name, one.version, one.title) for one in worker.types] == [("echo", "1.0", "Echo")]
    assert len(worker.running) == 1
    assert not worker.silent
    (facts,) = store.types(queue.tx, queue.at)
    assert (facts.name, facts.versions, facts.workers) == ("echo", ["1.0"], 1)
    assert store.schema_of(queue.tx, "echo") == b"{}"
    assert store.schema_of(queue.tx, "other") is None
    assert store.running_by_node(queue.tx) == {"pc": 1}
    queue.pass_ms(rules.SILENT_AFTER_MS + 1)
    (worker,) = store.workers(queue.tx, queue.at)
    assert worker.silent
    assert store.types(queue.tx, queue.at)[0].workers == 0
    # One that holds a lease stays until it has run out.
    assert store.prune_workers(queue.tx, queue.at.now_ms) == 0
    queue.pass_ms(rules.LEASE_TTL_MS)
    queue.sweep()
    assert store.prune_workers(queue.tx, queue.at.now_ms) == 1
    assert store.types(queue.tx, queue.at) != []


def test_a_worker_that_only_claims_is_known_by_that(queue: Queue) -> None:
    queue.claim(types=["echo@1.2", "plan"])
    (worker,) = store.workers(queue.tx, queue.at)
    assert [(one.name, one.version) for one in worker.types] == [("echo", "1.2"), ("plan", "")]
    queue.pass_ms(4000)
    queue.claim(types=["echo@1.2", "plan"])
    assert store.workers(queue.tx, queue.at)[0].last_seen == START_MS
    queue.pass_ms(1000)
    queue.claim(types=["echo@1.2", "plan"])
    assert store.workers(queue.tx, queue.at)[0].last_seen == START_MS + 5000
    assert store.worker_node(queue.tx, "pc.1") == "pc"
    assert store.forget_node(queue.tx, "pc") == ["pc.1"]
    assert store.workers(queue.tx, queue.at) == []


def test_why_a_job_waits_is_told(queue: Queue) -> None:
    job_id = queue.submit(type="plan")
    assert "No worker is there" in (queue.job(job_id).waits_because or "")
    queue.claim()
    assert queue.job(job_id).waits_because == "No worker offers plan."
    queue.claim("pc.2", 0, types=["plan"])
    assert queue.job(job_id).waits_because == "A worker can take it as soon as its turn comes."


def test_pending_jobs_are_listed_in_the_order_they_are_taken(queue: Queue) -> None:
    def submit(priority: int, **wanted: Any) -> str:
        queue.pass_ms(1000)
        return queue.submit(priority=priority, **wanted)

    old, plan = submit(0), submit(1, type="plan")
    urgent, late, alike = submit(5), submit(-1, requires=Requirements(cores=2)), submit(0)
    given_back = queue.claim(types=["echo"])[0]
    assert given_back.id == urgent
    queue.pass_ms(120_000)
    fresh = submit(0)
    queue.settle(given_back, ResultStatus.YIELDED)
    order = [urgent, plan, old, alike, late, fresh]

    def listed(limit: int, **wanted: Any) -> list[str]:
        found: list[str] = []
        before = None
        for _ in range(20):
            asked = store.Wanted(PENDING, before=before, limit=limit, by_rank=True, **wanted)
            page, before = store.page(queue.tx, asked, rules.USUAL_LIMITS, queue.at)
            ranks = [job.rank for job in page]
            assert None not in ranks
            found += [job.id for job in page]
            if before is None:
                return found
        raise AssertionError("the pages never end")

    for limit in (1, 2, 3, 50):
        assert listed(limit) == order
    assert listed(2, submitted_by=frozenset({"me"})) == order
    assert listed(1, type="echo") == [one for one in order if one != plan]
    assert listed(2, text=late) == [late]
    taken = queue.claim(most=10, types=["echo", "plan"])
    assert [job.id for job in taken] == order
    assert queue.job(old).rank is None


def test_no_page_leaves_out_one_of_many_with_the_same_rank(queue: Queue) -> None:
    """As a batch brings them, each with needs of its own; ids of one's own are in any order."""
    order = [queue.uuid() for _ in range(5)]
    for cores, job_id in enumerate(reversed(order), start=1):
        queue.submitted(job_id, requires=Requirements(cores=cores))
    found: list[str] = []
    wanted = store.Wanted(PENDING, limit=1, by_rank=True)
    for _ in order:
        page, further = store.page(queue.tx, wanted, rules.USUAL_LIMITS, queue.at)
        found += [job.id for job in page]
        wanted = wanted._replace(before=further)
    assert (found, wanted.before) == (order, None)


class CountedReading:
    """A Tx as far as lists need one, which counts the rows of jobs that are read."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.read = 0

    def execute(self, sql: str, params: Mapping[str, Value] | None = None) -> Any:
        rows = self._tx.execute(sql, params or {})
        return self._counted(rows) if "FROM job_queue AS q LEFT JOIN" in sql else rows

    def _counted(self, rows: Rows) -> Iterator[Any]:
        for row in rows:
            self.read += 1
            yield row


def test_of_many_lanes_only_what_comes_onto_the_page_is_read(queue: Queue) -> None:
    for number in range(200):
        queue.submit(requires=Requirements(cores=number % 10 + 1))
    counted = CountedReading(queue.tx)
    wanted = store.Wanted(PENDING, limit=20, by_rank=True)
    page, _ = store.page(cast(Tx, counted), wanted, rules.USUAL_LIMITS, queue.at, ())
    assert len(page) == 20
    assert counted.read <= 20 + 1 + 10


def test_a_name_is_found_as_it_is_written(queue: Queue) -> None:
    job_id = queue.submit(name="MÜLLER Süd")
    for text in ("MÜLLER", "mÜller s", "süD"):
        page, _ = store.page(queue.tx, store.Wanted(text=text), rules.USUAL_LIMITS, queue.at)
        assert [job.id for job in page] == [job_id]
    assert store.page(queue.tx, store.Wanted(text="M%R"), rules.USUAL_LIMITS, queue.at)[0] == []


def test_lists(queue: Queue) -> None:
    ids = []
    for number in range(7):
        ids.append(queue.submit(name=f"Plan {number}_%", submitted_by=["me", "you"][number % 2]))
        queue.pass_ms(number % 2)
    first, second, third = queue.claim(most=3)
    queue.settle(first)
    queue.settle(second, ResultStatus.FAILED, error=JobError("broke", "No.", retryable=False))

    def listed(**wanted: Any) -> list[str]:
        found: list[str] = []
        before = None
        for _ in range(20):
            page, before = store.page(
                queue.tx,
                store.Wanted(**{"limit": 2, **wanted}, before=before),
                rules.USUAL_LIMITS,
                queue.at,
            )
            assert len(page) <= 2
            found += [job.id for job in page]
            if before is None:
                return found
        raise AssertionError("the pages never end")

    assert listed() == ids[::-1]
    assert listed(status=PENDING) == ids[:2:-1]
    assert listed(status=RUNNING) == [third.id]
    assert listed(status=SUCCEEDED) == [first.id]
    assert listed(status=FAILED) == [second.id]
    assert listed(status=CANCELLED) == []
    assert listed(node_id="pc") == [third.id, second.id, first.id]
    assert listed(type="echo") == ids[::-1]
    assert listed(type="plan") == []
    assert listed(text="plan 3_%") == [ids[3]]
    assert listed(text="n_3") == []
    assert listed(text=ids[2]) == [ids[2]]
    assert listed(submitted_by=frozenset({"you"})) == ids[5::-2]
    assert listed(submitted_by=frozenset({"me", "you"}), status=PENDING) == ids[:2:-1]
    assert listed(submitted_by=frozenset()) == []
    with pytest.raises(ValueError, match="ask for next"):
        store.page(queue.tx, store.Wanted(before="x"), rules.USUAL_LIMITS, queue.at)
    assert store.counts(queue.tx) == {
        WAITING: 0, PENDING: 4, RUNNING: 1, SUCCEEDED: 1, FAILED: 1, CANCELLED: 0
    }  # fmt: skip
    assert store.counts(queue.tx, frozenset({"you"}))[PENDING] == 2
    (summary,) = store.summaries(queue.tx, [second.id, "none"], rules.USUAL_LIMITS, queue.at)
    assert summary.error == JobError("broke", "No.", retryable=False)
    assert (summary.claimed_by, summary.node_id) == ("pc.1", "pc")
    assert store.submitter_of(queue.tx, ids[1]) == "you"
    assert store.submitter_of(queue.tx, "none") is None


def test_what_has_ended_leaves_with_all_that_is_its(queue: Queue) -> None:
    old = queue.submit(payload_file=DIGEST)
    store.finish_file(queue.tx, old, "payload", DIGEST.sha256, queue.at)
    (job,) = queue.claim()
    held = HeldLease(job.id, job.lease, None, [Incumbent(START_MS, 1.0)], Raw(b"1"))
    store.heartbeat(queue.tx, "pc.1", Heartbeat([held]), PC, queue.at)
    store.cancel(queue.tx, old, queue.at)
    queue.settle(job, ResultStatus.YIELDED)
    queue.pass_ms(1)
    kept = [queue.submit(), queue.submit(delay_s=5)]
    ended_later = queue.submit()
    queue.pass_ms(1000)
    store.cancel(queue.tx, ended_later, queue.at)
    assert store.prune(queue.tx, START_MS + 500) == [store.Gone(old, CANCELLED, "me")]
    assert store.prune(queue.tx, START_MS + 500) == []
    assert store.known(queue.tx, [old, ended_later, *kept]) == {ended_later, *kept}
    for table in ("job_attempts", "job_incumbents", "job_checkpoints", "job_files"):
        assert queue.tx.execute(f"SELECT * FROM {table}").fetchall() == []
    (gone,) = store.prune(queue.tx, START_MS + 5000, limit=1)
    assert gone.job_id == ended_later


@pytest.mark.parametrize("mine", [False, True])
def test_a_text_is_looked_for_in_so_many_jobs_at_a_time(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, mine: bool
) -> None:
    monkeypatch.setattr(reading, "MOST_SIFTED", 10)
    expected = []
    for number in range(60):
        found = number in {0, 1, 17, 18, 19, 55}
        job_id = queue.submit(name=f"plan {number}" if found else None, submitted_by="you")
        if found:
            expected.append(job_id)
        if number % 3 == 0:
            store.cancel(queue.tx, job_id, queue.at)
        elif number % 3 == 1:
            queue.settle(queue.claim(most=1)[0])
        queue.pass_ms(number % 2)
    wanted = store.Wanted(text="PLAN", limit=2, submitted_by=frozenset({"you"}) if mine else None)
    told: list[str] = []
    pages: list[int] = []
    while True:
        page, further = store.page(queue.tx, wanted, rules.USUAL_LIMITS, queue.at)
        told += [job.id for job in page]
        pages.append(len(page))
        if further is None:
            break
        wanted = wanted._replace(before=further)
    assert told == sorted(expected, reverse=True)  # ids go up
    assert 0 in pages
    # By rank, what came last alone is looked at, and all of it at once.
    old, new = (queue.submit(name="plan", submitted_by="you") for _ in range(2))
    for _ in range(9):
        queue.submit(submitted_by="you")
    by_rank = wanted._replace(before=None, status=PENDING, by_rank=True)
    page, further = store.page(queue.tx, by_rank, rules.USUAL_LIMITS, queue.at)
    assert ([job.id for job in page], further) == ([new], None)
    assert queue.status(old) is PENDING


def test_a_type_stays_while_a_worker_offers_it(queue: Queue) -> None:
    """A worker tells of its plugins at its start, and may go on for a year."""
    queue.beat(plugins=[PluginOffer("echo", "1", ResourceClass.LLM)])
    queue.beat(worker_id="pc.2", plugins=[PluginOffer("other", "1")])
    queue.pass_ms(365 * DAY_MS)
    queue.beat()
    store.prune_workers(queue.tx, queue.now_ms - DAY_MS)
    assert [one.name for one in store.types(queue.tx, queue.at)] == ["echo"]
    queue.submit()
    assert queue.claim()[0].resource_class is ResourceClass.LLM


def test_what_nobody_offers_any_more_does_not_count_for_what_others_offer(queue: Queue) -> None:
    queue.beat(plugins=[PluginOffer("echo", "1", ResourceClass.IO), PluginOffer("own", "1")])
    another = Machine("another", "linux", 8, 16 << 30)
    # However many it tells of.
    strange = [
        PluginOffer("echo", f"9.{number}", attempts=1, payload_schema=Raw(b"false"))
        for number in range(30)
    ]
    alone = PluginOffer("alone", "1", attempts=2)
    beat = Heartbeat(plugins=[*strange, alone])
    store.heartbeat(queue.tx, "another.1", beat, another, queue.at)
    job_id = queue.submit()
    assert queue.job(job_id).max_attempts == 1
    assert store.schema_of(queue.tx, "echo") == b"false"
    store.forget_node(queue.tx, "another")
    job = queue.job(job_id)
    assert (job.max_attempts, job.resource_class) == (3, ResourceClass.IO)
    assert queue.claim()[0].resource_class is ResourceClass.IO
    assert store.schema_of(queue.tx, "echo") is None
    # What was known of a type that nobody offers now is all there is.
    found = {one.name: one.versions for one in store.types(queue.tx, queue.at)}
    assert found == {"alone": ["1"], "echo": ["1"], "own": ["1"]}
    # A worker that does not come back is forgotten a day later.
    store.heartbeat(queue.tx, "another.2", beat, another, queue.at)
    queue.pass_ms(DAY_MS + 1)
    queue.beat()
    store.prune_workers(queue.tx, queue.now_ms - DAY_MS)
    assert queue.job(job_id).max_attempts == 3


def test_workers_after_a_restart_with_a_clock_that_was_set_back(queue: Queue) -> None:
    queue.beat()
    queue.lease_ms -= DAY_MS
    store.resume(queue.tx, queue.at)
    assert store.worker_states(queue.tx, queue.at) == {"ready": 1}
    queue.pass_ms(rules.SILENT_AFTER_MS + 1)
    assert [one.silent for one in store.workers(queue.tx, queue.at)] == [True]
    assert store.worker_states(queue.tx, queue.at) == {"silent": 1}


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
