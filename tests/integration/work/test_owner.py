"""The machine's owner has the last word on whether it works."""

from __future__ import annotations

import json
import signal
import stat

import psutil
import pytest

from forge_agent.log import NEUTRAL
from tests.integration.work.working import Jobs, RunningWorker, ended, outcomes
from tests.process import PATIENCE_S, Client, CollectorProcess, wait_for

FOREVER = 100_000


def test_work_is_off_until_the_owner_switches_it_on_and_stops_when_they_switch_it_off(
    collector: CollectorProcess, admin: Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    agent = RunningWorker(
        collector, "n1", tmp_path_factory.mktemp("n1"), command="run", allowed=None
    )
    jobs = Jobs(admin, "n1")
    with ended(agent):
        agent.said("connected")
        assert agent.family() == []
        assert "off" in agent.work("status", expected=1)
        said = agent.work("on", "--when", "always", "--free-memory", "0", "--on-battery", "yes")
        assert "whatever others do" in said
        job_id = jobs.submit({"steps": 60})
        jobs.until_it_gets_on(job_id)
        wait_for(lambda: job_id in agent.work("status"), "the job to be shown")
        family = agent.family()
        agent.work("off")
        assert psutil.wait_procs(family, timeout=15)[1] == []
        job = jobs.look(job_id)
        assert (job["status"], outcomes(job)) == ("pending", ["yielded"])
        # What was on stays on, and the other way round.
        agent.work("on")
        jobs.until_it_gets_on(job_id)
        agent.stop()
        assert jobs.look(job_id)["status"] == "pending"
        agent.start()
        assert jobs.until(job_id, "succeeded")["result"]["begun_at"] > 0


def test_a_pause_gives_jobs_back_and_ends(
    collector: CollectorProcess, admin: Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    jobs = Jobs(admin, "n2")
    with ended(RunningWorker(collector, "n2", tmp_path_factory.mktemp("n2"))) as worker:
        job_id = jobs.submit({"steps": 40})
        jobs.until_it_gets_on(job_id)
        worker.work("pause", "1h")
        job = jobs.until(job_id, "pending")
        assert outcomes(job) == ["yielded"]
        [told] = [one for one in admin.get("/api/workers")["workers"] if one["node_id"] == "n2"]
        assert told["state"] == "paused"
        assert "paused by the owner until" in told["reason"]
        assert worker.family() == []
        worker.work("resume")
        job = jobs.until(job_id, "succeeded")
        assert job["result"]["begun_at"] > 0
        assert job["attempt_count"] == 1


def test_the_status_says_what_is_so_and_what_is_not_taken_up_yet(
    collector: CollectorProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with ended(RunningWorker(collector, "n5", tmp_path_factory.mktemp("n5"))) as worker:
        wait_for(lambda: "worker      ✓ ready" in worker.work("status"), "the worker to be ready")
        worker.process.send_signal(signal.SIGSTOP)  # it hears nothing
        try:
            for word in ("pause", "off"):
                worker.work(word)
                shown = worker.work("status", expected=0 if word == "pause" else 1)
                assert "has not taken up yet what you said last; so far ready" in shown
            assert f"{NEUTRAL} off" in shown
            worker.work("on")
            worker.work("pause")
            shown = worker.work("status")
            assert f"work        {NEUTRAL} on, paused by the owner until" in shown
            assert not json.loads(worker.work("status", "--json"))["taken_up"]
        finally:
            worker.process.send_signal(signal.SIGCONT)
        wait_for(lambda: json.loads(worker.work("status", "--json"))["taken_up"], "it to hear")
        assert f"worker      {NEUTRAL} paused: paused by the owner until" in worker.work("status")
        worker.work("off")
        worker.process.wait(PATIENCE_S)
        shown = worker.work("status", expected=1)
        assert "worker" not in shown


def test_a_worker_that_was_killed_is_started_again_and_one_without_its_agent_ends(
    collector: CollectorProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    agent = RunningWorker(collector, "n3", tmp_path_factory.mktemp("n3"), command="run")
    with ended(agent):
        agent.said("worker_ready")
        [worker] = agent.family()
        worker.kill()
        agent.said("worker_ended")
        agent.said("worker_ready", times=2)
        [worker] = agent.family()
        agent.kill()
        assert psutil.wait_procs([worker], timeout=10)[1] == []


def test_what_the_owner_allows_is_kept_to_them(
    collector: CollectorProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    worker = RunningWorker(collector, "n4", tmp_path_factory.mktemp("n4"), allowed=None)
    path = worker.state / "work.json"
    path.symlink_to(worker.state / "elsewhere")  # by whoever the folder belongs to
    worker.work("on", "--hours", "20:00-07:00", "--slots", "cpu=2", "--grant", "echo:network")
    kept = json.loads(path.read_bytes())
    assert (kept["enabled"], kept["hours"]) == (True, "20:00-07:00")
    assert kept["slots"] == {"cpu": 2, "io": 10, "llm": 1}
    assert kept["grants"] == {"echo": ["network"]}
    assert not path.is_symlink()
    assert not (worker.state / "elsewhere").exists()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    worker.work("pause")
    worker.work("on", "--revoke", "echo")
    kept = json.loads(path.read_bytes())
    assert (kept["grants"], kept["paused_until"], kept["hours"]) == ({}, None, "20:00-07:00")
    for words in (
        ("on", "--slots", "gpu=1"),
        ("on", "--hours", "8-9"),
        ("on", "--hours", "08:00-08:00"),
        ("on", "--cpu-of-others", "101"),
        ("on", "--grant", "echo:everything"),
        ("pause", "soon"),
        ("off", "--when", "always"),
        ("on", "1h"),
    ):
        worker.work(*words, expected=2)
    assert json.loads(path.read_bytes()) == kept
