"""Lists of jobs: their order, what narrows them down, and what leaves them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest
from msgspec import Raw

from forge_collector.db import Rows, Tx, Value
from forge_collector.jobs import rules, store
from forge_collector.jobs.store import reading
from forge_shared.job_messages import (
    FileDigest,
    Heartbeat,
    HeldLease,
    Incumbent,
    JobError,
    JobStatus,
    Requirements,
    ResultStatus,
)
from tests.integration.jobs_store.queue import PC, START_MS, Queue

PENDING, RUNNING, WAITING = JobStatus.PENDING, JobStatus.RUNNING, JobStatus.WAITING
SUCCEEDED, FAILED, CANCELLED = JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED
DIGEST = FileDigest(5, "a" * 64)


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
    assert 20 <= counted.read <= 20 + 1 + 10


def test_a_name_is_found_as_it_is_written(queue: Queue) -> None:
    job_id = queue.submit(name="MÜLLER Süd")
    for text in ("MÜLLER", "mÜller s", "süD"):
        page, _ = store.page(queue.tx, store.Wanted(text=text), rules.USUAL_LIMITS, queue.at)
        assert [job.id for job in page] == [job_id]
    assert store.page(queue.tx, store.Wanted(text="M%R"), rules.USUAL_LIMITS, queue.at)[0] == []


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
