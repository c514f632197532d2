"""What the queue does all the time finds its rows by an index: it costs the same however many jobs
have finished, and however many nobody can take."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from forge_collector.db import Rows, SqliteEngine, Tx, Value
from forge_collector.jobs import rules, store
from forge_shared.job_messages import (
    JobStatus,
    PluginOffer,
    ResourceClass,
    ResultStatus,
)
from tests.integration.jobs_store.queue import START_MS, Queue, done
from tests.unit.db.test_query_plans import NotingTx, Statement

MANY = 20_000
LISTS = [store.Wanted(), *(store.Wanted(status) for status in JobStatus)]

_JOB = """
    INSERT INTO job_queue (
        id, type, status, lane, rank, priority, created_at, finished_at, attempt_count,
        lease_count, requirements, submitted_by, submitted_as, payload_file, result_file,
        checkpoint, lease, payload
    ) VALUES (
        :id, :type, :status, :lane, :at, 0, :at, :finished_at, 1, 1, '{}', 'me', 'Me', 0, 0, 0,
        :lease, :payload
    )
"""
_ATTEMPT = """
    INSERT INTO job_attempts (
        job_id, lease, attempt, resource_class, worker_id, node_id, claim_id, heard, started_at,
        started_ms, expires_ms, progress_ms, ended_at, outcome
    ) VALUES (
        :id, :lease, 1, 'cpu', 'pc.1', 'pc', :id, 1, :at, :at, :at, :at, :finished_at, 'succeeded'
    )
"""


def fill(tx: Tx) -> None:
    """Put in jobs that have finished, and others that wait for who never comes."""
    finished = [
        {
            "id": f"f{number:07}",
            "type": "echo",
            "status": "failed" if number % 50 == 0 else "succeeded",
            "lane": None,
            "at": START_MS - number,
            "finished_at": START_MS - number + 5,
            "lease": f"l{number}",
            "payload": b"{}",
        }
        for number in range(MANY)
    ]
    tx.executemany(_JOB, finished)
    tx.executemany(_ATTEMPT, finished)
    tx.executemany(
        "INSERT INTO job_lanes VALUES (:lane, :type, '', '', 'cpu', :requirements)",
        [
            {"lane": 100_000 + number, "type": f"other{number % 20}", "requirements": f"{number}"}
            for number in range(200)
        ],
    )
    tx.executemany(
        _JOB,
        [
            {
                **job,
                "id": f"p{number:07}",
                "type": "other",
                "status": "pending",
                "lane": 100_000,
                "finished_at": None,
                "lease": None,
            }
            for number, job in enumerate(finished)
        ],
    )


class Noting(NotingTx):
    """Runs each statement of many once: what is done twice is refused here."""

    def executemany(self, sql: str, params: Iterable[Mapping[str, Value]]) -> Rows:
        every = list(params)
        for one in every[:1]:
            plan = self._tx.execute(f"EXPLAIN QUERY PLAN {sql}", one).fetchall()
            self.statements.append(Statement(" ".join(sql.split()), [row[3] for row in plan]))
        return self._tx.executemany(sql, every)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "fleet.db"
    writer = SqliteEngine(path).open_writer()
    writer.begin_write()
    fill(writer)
    writer.commit()
    writer.close()
    return path


@pytest.fixture(params=["empty", "filled", "analysed"])
def noting(request: pytest.FixtureRequest, tmp_path: Path, filled: Path) -> Iterator[NotingTx]:
    path = tmp_path / "fleet.db"
    if request.param != "empty":
        shutil.copyfile(filled, path)
    writer = SqliteEngine(path).open_writer()
    if request.param == "analysed":
        writer.execute("ANALYZE")
    writer.begin_write()
    yield Noting(writer)
    writer.commit()
    writer.close()


def looks_up(noting: NotingTx, *, but: Iterable[str] = ()) -> None:
    """Assert that nothing reads a whole table, or an index that holds all of one, or sorts."""
    assert noting.statements
    for statement in noting.statements:
        if any(part in statement.sql for part in but):
            continue
        for step in statement.plan:
            whole = [
                table
                for table in ("job_queue", "job_attempts", "job_lanes", "job_files", "q", "a", "f")
                if step.split()[:2] == ["SCAN", table]
            ]
            assert not whole, statement
            assert "TEMP B-TREE FOR ORDER BY" not in step, statement


def test_a_job_s_way_through_the_queue(noting: NotingTx) -> None:
    queue = Queue(noting)
    queue.submit(dedup_key="once")
    queue.submit(dedup_key="once")
    for number in range(4):
        queue.submit(deadline=START_MS + 5000, delay_s=0, name=f"{number}")
    queue.limits = rules.USUAL_LIMITS
    (job,) = queue.claim(claim_id=queue.uuid())
    queue.beat([job])
    queue.settle(job)
    queue.settle(job)
    jobs = queue.claim(most=4)
    queue.claimed(most=10, results=[done(one) for one in jobs])
    looks_up(noting)

    assert noting.plan_of("FROM job_lanes WHERE type IN") == [
        "SEARCH job_lanes USING INDEX sqlite_autoindex_job_lanes_2 (type=? AND node_id=?)",
        "CORRELATED SCALAR SUBQUERY 1",
        "SEARCH job_queue USING INDEX job_queue_by_rank (lane=?)",
    ]
    assert noting.plan_of("ORDER BY q.rank, q.id LIMIT :most") == [
        "SEARCH q USING INDEX job_queue_by_rank (lane=?)"
    ]
    by_id = ["SEARCH job_queue USING INDEX sqlite_autoindex_job_queue_1 (id=?)"]
    assert noting.plan_of("status = 'running', lane = NULL") == by_id
    assert noting.plan_of("status = 'succeeded', finished_at = :now") == by_id
    by_key = [
        "SEARCH job_attempts USING INDEX sqlite_autoindex_job_attempts_1 (job_id=? AND lease=?)"
    ]
    assert noting.plan_of("ended_at = :now, heard = 1") == by_key
    assert noting.plan_of("SET expires_ms = :expires_ms, heard = 1") == by_key
    for step in noting.plan_of("a.job_id IN (:job0)"):
        assert "USING INDEX sqlite_autoindex" in step
    assert noting.plan_of("resource_class = :resource_class AND worker_id = :worker_id") == [
        "SEARCH job_attempts USING INDEX job_attempts_live (resource_class=? AND worker_id=?)"
    ]
    assert noting.plan_of("WHERE a.claim_id = :claim_id")[0] == (
        "SEARCH a USING INDEX job_attempts_by_claim (claim_id=?)"
    )


def test_other_ends(noting: NotingTx) -> None:
    queue = Queue(noting)
    for _ in range(4):
        queue.submit(max_attempts=5)
    failed, yielded, cancelled, lost = queue.claim(most=4)
    queue.settle(failed, ResultStatus.FAILED)
    queue.settle(yielded, ResultStatus.YIELDED)
    store.cancel(noting, cancelled.id, queue.at)
    queue.beat([cancelled, lost])
    queue.settle(cancelled, ResultStatus.YIELDED)
    store.retry(noting, cancelled.id, queue.at)
    queue.pass_ms(400_000)
    assert store.is_due(noting, queue.at)
    assert {change.job_id for change in queue.sweep()} == {failed.id, lost.id}
    looks_up(noting)


def test_the_sweep_looks_at_what_is_live_and_due(noting: NotingTx) -> None:
    queue = Queue(noting)
    assert not store.is_due(noting, queue.at)
    looks_up(noting)
    assert "job_queue_waiting (available_at<?)" in noting.plan_of("available_at <= :now")[0]
    assert "INDEX job_queue_by_deadline (deadline" in noting.plan_of("deadline <= :now")[0]
    uploading = noting.plan_of("f.name = 'payload'")
    assert uploading[0].startswith("SEARCH q USING INDEX job_queue_uploading (created_at<?)")
    for which in ("a.expires_ms <=", "a.started_ms +"):
        assert "job_attempts_live (resource_class=?)" in noting.plan_of(which)[0]


@pytest.mark.parametrize("wanted", LISTS)
def test_lists(noting: NotingTx, wanted: store.Wanted) -> None:
    queue = Queue(noting)
    store.page(noting, wanted, rules.USUAL_LIMITS, queue.at, ())
    # The attempt of each is joined by its key.
    looks_up(noting)


def test_the_next_ones(noting: NotingTx) -> None:
    queue = Queue(noting)
    queue.submit()
    wanted = store.Wanted(JobStatus.PENDING, by_rank=True)
    store.page(noting, wanted, rules.USUAL_LIMITS, queue.at, ())
    # There are few lanes beside many jobs; those in which the next ones stand are looked into.
    looks_up(noting, but=["AS heads"])
    heads = noting.plan_of("AS heads")
    assert any("job_queue_by_rank (lane=? AND (rank,id)>(?,?))" in step for step in heads), heads
    (plan, *_) = noting.plan_of("q.lane = :lane")
    assert plan.startswith("SEARCH q USING INDEX job_queue_by_rank (lane=?"), plan


def test_lists_of_one_s_own(noting: NotingTx) -> None:
    queue = Queue(noting)
    mine = store.Wanted(submitted_by=frozenset({"you"}))
    store.page(noting, mine, rules.USUAL_LIMITS, queue.at, ())
    looks_up(noting)
    plan = noting.plan_of("q.submitted_by = :by")
    assert plan[0].startswith("SEARCH q USING INDEX job_queue_by_submitter (submitted_by=?")


def test_retention(noting: NotingTx) -> None:
    store.prune(noting, START_MS - MANY + 100, 10)
    looks_up(noting)


def test_what_is_counted_when_a_heartbeat_tells_of_types(noting: NotingTx) -> None:
    queue = Queue(noting)
    queue.submit()
    plugin = PluginOffer("echo", "1", ResourceClass.IO)
    heard = queue.beat(plugins=[plugin])
    assert [change.ready is not None for change in heard.changes] == [True]
    # A worker tells of its plugins at its start, and there are few lanes beside many jobs.
    looks_up(noting, but=["UPDATE job_lanes"])
