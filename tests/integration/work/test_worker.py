"""A real worker does jobs of a real collector, and every job ends once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import pairwise

import psutil
import pytest

from tests.integration.work.cutting import CuttingRelay
from tests.integration.work.working import ALLOWED, Jobs, RunningWorker, ended, outcomes
from tests.process import (
    Client,
    CollectorProcess,
    running_collector,
    start_collector,
    wait_for,
)

FOREVER = 100_000  # steps: longer than any test


@pytest.fixture(scope="module")
def worker(
    collector: CollectorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningWorker]:
    with ended(RunningWorker(collector, "n1", tmp_path_factory.mktemp("n1"))) as started:
        yield started


@pytest.fixture
def jobs(worker: RunningWorker, admin: Client) -> Jobs:
    """Jobs for the worker that all tests share."""
    return Jobs(admin, "n1")


# --- how a job ends -----------------------------------------------------------------------------


def test_a_job_is_done_and_what_it_said_on_its_way_is_told(jobs: Jobs) -> None:
    job = jobs.until(jobs.submit({"steps": 3}), "succeeded")
    assert job["result"] == {"steps": 3, "begun_at": 0, "filling": ""}
    assert job["attempt_count"] == 1
    assert [one["objective"] for one in job["incumbents"]] == [2, 1, 0]
    assert job["claimed_by"].startswith("n1.")


def test_nobody_is_left_with_half_of_the_progress(jobs: Jobs) -> None:
    job = jobs.until(jobs.submit({"steps": 5, "finds_nothing": True}), "succeeded")
    # Where it went too fast, nobody was told anything.
    assert job.get("progress") in ({"fraction": 1}, None)


@pytest.mark.parametrize(
    ("payload", "outcome", "code", "says"),
    [
        ({"fails": True}, "failed", "infeasible", "it cannot be"),
        ({"crashes": True}, "crashed", "crashed", "signal 9"),
    ],
)
def test_a_job_that_fails_says_why(
    jobs: Jobs, payload: dict[str, object], outcome: str, code: str, says: str
) -> None:
    job = jobs.until(jobs.submit({"steps": 1, **payload}, max_attempts=1), "failed")
    assert outcomes(job) == [outcome]
    assert job["error"]["code"] == code
    assert says in job["error"]["message"]
    assert "begins at 0" in job["attempts"][0]["log_tail"]


def test_a_result_counts_once_the_plugin_itself_has_checked_it(jobs: Jobs) -> None:
    for payload in ({"number": 7}, {"number": 7, "by_a_file": True}):
        job = jobs.until(jobs.submit(payload, type="checked", max_attempts=1), "succeeded")
        assert outcomes(job) == ["succeeded"]
    wrong = jobs.submit({"number": 7, "wrong": True}, type="checked", max_attempts=1)
    error = jobs.until(wrong, "failed")["error"]
    assert (error["code"], error["message"]) == ("unverified", "that is another number")
    payload = {"number": 7, "kills_its_check": True}
    unchecked = jobs.until(jobs.submit(payload, type="checked", max_attempts=1), "failed")
    assert outcomes(unchecked) == ["crashed"]


def test_a_job_that_takes_too_long_or_gets_nowhere_is_ended(jobs: Jobs) -> None:
    slow = jobs.submit({"steps": FOREVER}, wall_limit_s=1, max_attempts=1)
    stuck = jobs.submit(
        {"steps": FOREVER, "stands_still": True}, no_progress_limit_s=1, max_attempts=1
    )
    for job_id, code in ((slow, "wall_limit"), (stuck, "no_progress")):
        job = jobs.until(job_id, "failed")
        assert (outcomes(job), job["error"]["code"]) == (["timed_out"], code), job["error"]


def test_what_is_cancelled_ends_within_five_seconds_even_if_it_does_not_listen(
    jobs: Jobs, worker: RunningWorker
) -> None:
    job_id = jobs.submit({"steps": FOREVER, "stubborn": True})
    jobs.until_it_gets_on(job_id)
    family = worker.family()
    jobs.cancel(job_id)
    gone, left = psutil.wait_procs(family, timeout=5)
    assert gone
    assert left == []
    assert outcomes(jobs.until(job_id, "cancelled")) == ["cancelled"]


def test_what_is_large_goes_by_files(jobs: Jobs, admin: Client) -> None:
    filling = 6_000_000  # more than one part
    content = json.dumps({"steps": 1, "filling": filling, "more": "z" * filling}).encode()
    digest = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    wanted = {"type": "steps", "requires": {"node": "n1"}, "payload_file": digest}
    job_id = admin.send("POST", "/api/jobs", wanted).json()["id"]
    for begin in range(0, len(content), 4_000_000):
        part = content[begin : begin + 4_000_000]
        reply = admin.send(
            "PUT",
            f"/api/jobs/{job_id}/files/payload",
            part,
            {
                "Content-Type": "application/octet-stream",
                "Content-Range": f"bytes {begin}-{begin + len(part) - 1}/{len(content)}",
            },
        )
        assert reply.status == 200, reply
    job = jobs.until(job_id, "succeeded")
    assert job["result"] is None
    reply = admin.send("GET", f"/api/jobs/{job_id}/files/result")
    assert len(json.loads(reply.body)["filling"]) == filling


# --- what becomes of it when something else ends ------------------------------------------------


def test_a_worker_that_was_killed_leaves_nothing_running_and_its_job_goes_on(
    collector: CollectorProcess, admin: Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    jobs = Jobs(admin, "n2")
    with ended(RunningWorker(collector, "n2", tmp_path_factory.mktemp("n2"))) as worker:
        job_id = jobs.submit({"steps": 60})
        kept = worker.state / "work" / "checkpoints"
        wait_for(lambda: any(kept.glob("*")), "a checkpoint")
        family = worker.family()
        worker.kill()
        assert psutil.wait_procs(family, timeout=5)[1] == []
        worker.start()
        job = jobs.until(job_id, "succeeded")
        # Of the two there were, the first is no more.
        workers = admin.get("/api/workers")["workers"]
        of_this_node = [one["id"] for one in workers if one["node_id"] == "n2"]
        assert of_this_node == [job["claimed_by"]]
    assert outcomes(job) == ["yielded", "succeeded"]
    assert job["attempt_count"] == 1
    assert job["result"]["begun_at"] > 0


def test_a_job_that_brings_its_worker_down_each_time_does_not_go_on_for_ever(
    collector: CollectorProcess, admin: Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    jobs = Jobs(admin, "n5")
    with ended(RunningWorker(collector, "n5", tmp_path_factory.mktemp("n5"))) as worker:
        job_id = jobs.submit({"steps": 1, "stands_still": True}, max_attempts=2)
        for number in (1, 2):
            worker.said("job_started", times=number)
            worker.kill()
            worker.start()
        job = jobs.until(job_id, "failed")
    assert outcomes(job) == ["lost", "lost"]
    assert (job["attempt_count"], job["error"]["code"]) == (2, "lost")


def test_a_job_whose_agent_is_killed_each_time_goes_on_as_long_as_it_gets_on(
    collector: CollectorProcess, admin: Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    jobs = Jobs(admin, "n6")
    agent = RunningWorker(collector, "n6", tmp_path_factory.mktemp("n6"), command="run")
    with ended(agent):
        # It saves where it is when it is asked to stop: the second time that is where it began.
        job_id = jobs.submit({"steps": 1, "stands_still": True}, max_attempts=1)
        for number in (1, 2):
            agent.said("job_started", times=number)
            agent.kill()
            agent.start()
        job = jobs.until(job_id, "failed")
    assert outcomes(job) == ["yielded", "lost"]


def test_a_worker_that_is_stopped_gives_its_job_back_at_once(
    collector: CollectorProcess, admin: Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    jobs = Jobs(admin, "n3")
    with ended(RunningWorker(collector, "n3", tmp_path_factory.mktemp("n3"))) as worker:
        job_id = jobs.submit({"steps": FOREVER, "filling": 2_000_000})
        jobs.until_it_gets_on(job_id)
        assert worker.stop() < 8
        job = jobs.look(job_id)
        of_this_node = [
            one for one in admin.get("/api/workers")["workers"] if one["node_id"] == "n3"
        ]
    assert (job["status"], job["attempt_count"]) == ("pending", 0)
    assert outcomes(job) == ["yielded"]
    # Nobody waits for it any more.
    assert of_this_node == []
    assert "draining" not in job["waits_because"]
    [checkpoint] = job["files"]
    assert checkpoint["name"] == "checkpoint"
    assert checkpoint["received"] == checkpoint["size"] > 2_000_000
    jobs.cancel(job_id)


def test_a_collector_that_was_killed_costs_nobody_an_attempt(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("killed")
    with running_collector(folder / "data") as collector:
        worker = RunningWorker(collector, "n1", folder / "n1")
        with ended(worker):
            with collector.client() as admin:
                job_id = Jobs(admin, "n1").submit({"steps": 40})
                Jobs(admin, "n1").until_it_gets_on(job_id)
            collector.kill()
            worker.said("collector_silent")
            wait_for(lambda: worker.note()["results_waiting"], "a result that nobody takes")
            again = start_collector(folder / "data", "--port", str(collector.port))
            try:
                with again.client() as admin:
                    job = Jobs(admin, "n1").until(job_id, "succeeded")
            finally:
                again.stop()
    assert outcomes(job) == ["succeeded"]
    assert job["attempt_count"] == 1
    assert job["result"]["begun_at"] == 0


@pytest.mark.parametrize("path", [b"/api/jobs/claim", b"/heartbeat", b"/result"])
def test_an_answer_that_got_lost_costs_nothing(
    collector: CollectorProcess,
    admin: Client,
    tmp_path_factory: pytest.TempPathFactory,
    path: bytes,
) -> None:
    node_id = f"lost-{path.decode().rpartition('/')[2]}"
    relay = CuttingRelay(collector.port)
    worker = RunningWorker(collector, node_id, tmp_path_factory.mktemp(node_id), url=relay.url)
    jobs = Jobs(admin, node_id)
    try:
        with ended(worker):
            worker.said("worker_ready")
            wait_for(worker.is_online, "the worker to be known")
            relay.lose(path, 2)
            job = jobs.until(jobs.submit({"steps": 2}), "succeeded")
            wait_for(lambda: worker.note()["results_waiting"] == 0, "the result to be answered")
    finally:
        relay.close()
    assert relay.cut >= 1
    assert (outcomes(job), job["attempt_count"]) == (["succeeded"], 1)


def test_one_slot_takes_one_job_after_another(
    collector: CollectorProcess, admin: Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    jobs = Jobs(admin, "n4")
    waiting = [jobs.submit({"steps": 1}) for _ in range(3)]
    # With no room at all while it runs, the next claim takes the result along: both in one unit.
    allowed = {**ALLOWED, "slots": {"io": 1, "cpu": 0, "llm": 0}}
    worker = RunningWorker(collector, "n4", tmp_path_factory.mktemp("n4"), allowed=allowed)
    with ended(worker):
        done = [jobs.until(job_id, "succeeded") for job_id in waiting]
    attempts = sorted(
        (attempt["started_at"], attempt["ended_at"]) for job in done for attempt in job["attempts"]
    )
    assert len(attempts) == 3
    assert all(after[0] >= before[1] for before, after in pairwise(attempts))
