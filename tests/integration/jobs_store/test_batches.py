"""Jobs that are submitted together."""

from __future__ import annotations

from typing import Any

from forge_collector.jobs import rules, store
from forge_collector.jobs.store import Submission, Submitted, lanes
from forge_shared.job_messages import (
    FileDigest,
    JobStatus,
    JobSubmission,
    Requirements,
    ResourceClass,
)
from tests.integration.jobs_store.queue import START_MS, Queue

PENDING, WAITING = JobStatus.PENDING, JobStatus.WAITING


def wanted(queue: Queue, job_id: str | None = None, **more: Any) -> Submission:
    more.setdefault("type", "echo")
    return Submission(job_id or queue.uuid(), JobSubmission(**more), "me", "Me")


def told(outcomes: list[Submitted | rules.RefusedError]) -> list[tuple[str, bool] | str]:
    """Return of each outcome its status and whether it was there before, or why it was refused."""
    return [
        outcome.code
        if isinstance(outcome, rules.RefusedError)
        else (outcome.reply.status.value, outcome.reply.deduplicated)
        for outcome in outcomes
    ]


def test_what_is_refused_of_one_spoils_nothing_of_the_others(queue: Queue) -> None:
    (theirs,) = store.submit_all(queue.tx, [wanted(queue)._replace(submitted_by="you")], queue.at)
    assert isinstance(theirs, Submitted)
    mine = wanted(queue)
    outcomes = store.submit_all(
        queue.tx,
        [
            mine,
            wanted(queue, theirs.reply.id),
            mine,
            wanted(queue, deadline=START_MS),
            wanted(queue, dedup_key="k"),
            wanted(queue, dedup_key="k"),
            wanted(queue, delay_s=1),
            wanted(queue, payload_file=FileDigest(5, "a" * 64)),
            mine._replace(wanted=JobSubmission(type="echo", deadline=START_MS)),
        ],
        queue.at,
    )
    assert told(outcomes) == [
        ("pending", False),
        "id_taken",
        ("pending", True),
        "deadline_passed",
        ("pending", False),
        ("pending", True),
        ("waiting", False),
        ("waiting", False),
        ("pending", True),
    ]
    changed = [each.change for each in outcomes if isinstance(each, Submitted) and each.change]
    assert [(each.after, each.ready is not None) for each in changed] == [
        (PENDING, True),
        (PENDING, True),
        (WAITING, False),
        (WAITING, False),
    ]
    counts = store.counts(queue.tx)
    assert (counts[PENDING], counts[WAITING], sum(counts.values())) == (3, 2, 5)
    assert [each.name for each in store.files(queue.tx, changed[-1].job_id)] == ["payload"]


def test_each_stands_in_its_lane_and_they_start_in_their_order(queue: Queue) -> None:
    needs: list[dict[str, Any]] = [
        {},
        {"requires": Requirements(cores=2)},
        {"resource_class": ResourceClass.IO},
        {"requires": Requirements(tags=["office"])},
    ]
    batch = [wanted(queue, **needs[number % 4]) for number in range(12)]
    for outcome, one in zip(store.submit_all(queue.tx, batch, queue.at), batch, strict=True):
        assert isinstance(outcome, Submitted)
        assert outcome.change is not None
        alone = lanes.place(
            queue.tx,
            "echo",
            one.wanted.resource_class,
            rules.requirements_text(one.wanted.requires),
        )
        assert outcome.change.ready == alone.needs
    assert [job.id for job in queue.claim(most=12)] == [one.job_id for one in batch]


def test_lanes_are_looked_up_once_for_the_same_needs(queue: Queue) -> None:
    asked: list[str] = []

    class Watched:
        def execute(self, sql: str, params: Any = ()) -> Any:
            asked.append(sql)
            return queue.tx.execute(sql, params)

        def executemany(self, sql: str, params: Any) -> Any:
            return queue.tx.executemany(sql, params)

    batch = [wanted(queue) for _ in range(50)]
    assert len(store.submit_all(Watched(), batch, queue.at)) == 50
    assert sum("FROM job_lanes" in sql for sql in asked) == 1


def test_nothing_is_no_batch(queue: Queue) -> None:
    assert store.submit_all(queue.tx, [], queue.at) == []
