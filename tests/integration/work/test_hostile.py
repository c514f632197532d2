"""A machine is its owner's, whatever the collector says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.work.hostile import HostileCollector, a_job
from tests.integration.work.working import ALLOWED, RunningWorker, ended
from tests.process import wait_for

FOREVER = 100_000  # steps: longer than any test


@pytest.fixture
def hostile() -> Iterator[HostileCollector]:
    collector = HostileCollector()
    yield collector
    collector.close()


def programs(worker: RunningWorker) -> int:
    return sum("steps.py" in " ".join(one.cmdline()) for one in worker.family())


def test_how_much_runs_is_the_owners_word_and_nothing_runs_twice(
    hostile: HostileCollector, tmp_path: Path
) -> None:
    twice = a_job({"steps": FOREVER})
    hostile.jobs = [
        *(twice, twice, {**twice, "lease": "another"}),
        a_job({"steps": FOREVER}, id="\x1b[2Jcleared"),
        *(a_job({"steps": FOREVER}) for _ in range(5)),
        a_job({"steps": FOREVER}, resource_class="gpu"),
    ]
    allowed = {**ALLOWED, "slots": {"io": 2, "cpu": 1, "llm": 0}}
    with ended(RunningWorker(hostile, "n1", tmp_path, allowed=allowed)) as worker:
        wait_for(lambda: len(hostile.results) >= 7, "the others to be given back")
        wait_for(lambda: programs(worker) == 2, "two programs")
        assert {one["status"] for one in hostile.results} == {"yielded"}
        wait_for(lambda: len(worker.note()["jobs"]) == 2, "the two to be noted")
        told = worker.work("status", "--state-dir", str(worker.state))
        assert "cleared" in told
        assert "\x1b" not in told


def test_who_answers_at_once_with_nothing_is_not_asked_all_the_time(
    hostile: HostileCollector, tmp_path: Path
) -> None:
    with ended(RunningWorker(hostile, "n1", tmp_path)):
        wait_for(lambda: hostile.asked["claim"] >= 2, "claims")
        before, begun_s = hostile.asked["claim"], time.monotonic()
        wait_for(lambda: hostile.asked["claim"] >= before + 3, "more claims")
        assert time.monotonic() - begun_s > 2


def test_a_result_is_kept_until_it_is_the_collector_that_has_answered(
    hostile: HostileCollector, tmp_path: Path
) -> None:
    hostile.is_deaf = True
    hostile.jobs = [a_job({"steps": 1})]
    with ended(RunningWorker(hostile, "n1", tmp_path)) as worker:
        wait_for(lambda: len(hostile.results) >= 2, "the result, again and again")
        assert list((worker.state / "work" / "results").iterdir())
        hostile.is_deaf = False
        wait_for(lambda: not worker.note()["results_waiting"], "the result to be answered")
    assert {one["result"]["steps"] for one in hostile.results} == {1}


def test_a_plugin_that_crashes_at_once_does_not_go_through_all_jobs_in_no_time(
    hostile: HostileCollector, tmp_path: Path
) -> None:
    with ended(RunningWorker(hostile, "n1", tmp_path)):
        for failed in range(1, 20):  # it pauses by chance, the longer the more have failed
            hostile.jobs = [a_job({"steps": 1, "crashes": True})]
            wait_for(lambda: len(hostile.results) >= failed, "the job to fail")  # noqa: B023
            before = hostile.asked["claim"]
            wait_for(lambda: hostile.asked["claim"] > before, "the next claim")  # noqa: B023
            if "steps" not in hostile.offered:
                break
        assert hostile.offered == {"checked"}
    assert {one["error"]["code"] for one in hostile.results} == {"crashed"}


def test_a_state_folder_that_is_named_from_here_is_as_good(
    hostile: HostileCollector, tmp_path: Path
) -> None:
    hostile.jobs = [a_job({"steps": 1, "filling": 1_100_000})]
    worker = RunningWorker(hostile, "n1", tmp_path)
    worker.set(FORGE_STATE_DIR="state")
    with ended(worker):
        assert worker.said("job_ended")["status"] == "succeeded"
