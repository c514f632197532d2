"""An attempt whose end goes wrong has an end all the same: its lease would be renewed for ever."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import pytest

from forge_agent import config
from forge_agent.core import attempts
from forge_agent.core.attempts import Ended, Settlement, Stop
from forge_agent.log import Log
from forge_agent.work import clock, files
from forge_agent.work.attempt import Attempt, Bench
from forge_agent.work.catalogue import Catalogue
from forge_agent.work.collector import Line, Peer
from forge_agent.work.kept import Kept
from forge_agent.work.owner import Owner
from forge_agent.work.results import Results
from forge_agent.work.setbacks import Setbacks
from tests.integration.work.hostile import a_job
from tests.integration.work.working import PLUGINS

MORE_THAN_A_MESSAGE = 1_100_000


@pytest.fixture
def ended() -> threading.Event:
    return threading.Event()


@pytest.fixture
def bench(tmp_path: Path, ended: threading.Event) -> Bench:
    log = Log(io.StringIO(), human=False)
    settings = config.load(
        flags={"FORGE_STATE_DIR": str(tmp_path), "FORGE_PLUGINS": str(PLUGINS)},
        environ={},
        folder=None,
        config_file=None,
        needed=(),
    )
    (tmp_path / "work").mkdir()
    return Bench(
        line=Line(Peer("http://127.0.0.1:1", "a-token", None)),
        results=Results(tmp_path / "work" / "results"),
        kept=Kept(tmp_path / "work"),
        log=log,
        catalogue=Catalogue(settings, log),
        setbacks=Setbacks(),
        allowed=Owner,
        changing=threading.Lock(),
        on_news=lambda: None,
        tell=lambda _: None,
        on_end=ended.set,
        forget=lambda _: None,
    )


def end_of(attempt: Attempt, bench: Bench, ended: threading.Event) -> Any:
    attempt.begin()
    attempt.renewed(0.0, 300.0)
    assert ended.wait(20)
    assert attempt.is_over
    [result] = bench.results.take(9, 10**9, with_files=True)
    return result.message


def test_a_plugin_that_went_while_its_job_came_costs_the_job_nothing(
    bench: Bench, ended: threading.Event
) -> None:
    job = {**a_job({"steps": 1}), "type": "gone"}
    message = end_of(Attempt(job, 1e12, bench), bench, ended)
    assert (message["status"], message.get("error")) == ("yielded", None)


def test_a_job_whose_time_is_up_by_its_keeper_first_has_timed_out(
    bench: Bench, ended: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "awake_or_not_s", lambda: 0.0)  # the worker never sees it
    job = {**a_job({"steps": 100_000}), "wall_limit_s": 1}
    message = end_of(Attempt(job, 1e12, bench), bench, ended)
    assert (message["outcome"], message["error"]["code"]) == ("timed_out", "wall_limit")


def test_a_check_is_not_held_to_tell_progress(bench: Bench, ended: threading.Event) -> None:
    job = {
        **a_job({"number": 7, "check_takes_s": 1.5}),
        "type": "checked",
        "no_progress_limit_s": 1,
    }
    assert end_of(Attempt(job, 1e12, bench), bench, ended)["status"] == "succeeded"


def test_a_stop_that_comes_as_its_check_has_ended_does_not_change_what_that_said(
    bench: Bench, ended: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = {**a_job({"number": 7, "wrong": True}), "type": "checked"}
    attempt = Attempt(job, 1e12, bench)
    settle = attempts.settle

    def settled_too_early(stop: Stop | None, how: Ended) -> Settlement | None:
        settlement = settle(stop, how)
        if not how.has_result:  # it is the check's end that is looked at
            attempt.stop(Stop.YIELD)
        return settlement

    monkeypatch.setattr(attempts, "settle", settled_too_early)
    error = end_of(attempt, bench, ended)["error"]
    assert (error["code"], error["message"]) == ("unverified", "that is another number")


def test_a_result_that_the_disk_does_not_give_back_is_a_failure(
    bench: Bench, ended: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Path) -> Any:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files, "digest", broken)
    job = a_job({"steps": 1, "filling": MORE_THAN_A_MESSAGE})
    message = end_of(Attempt(job, 1e12, bench), bench, ended)
    assert (message["status"], message["error"]["code"]) == ("failed", "worker_fault")
    assert "Input/output error" in message["error"]["message"]
    assert bench.setbacks.ready_at_s(["steps"]) > 0  # it would be the next one's end as well


def test_a_thread_that_cannot_be_started_is_a_failure(
    bench: Bench, ended: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    attempt = Attempt(a_job({"steps": 1}), 1e12, bench)
    monkeypatch.setattr(threading.Thread, "start", none_left)
    message = end_of(attempt, bench, ended)
    assert (message["status"], message["error"]["code"]) == ("failed", "worker_fault")
