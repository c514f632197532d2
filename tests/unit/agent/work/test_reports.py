"""What becomes of results that the collector does not take as they are."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import pytest

from forge_agent.log import Log
from forge_agent.work.collector import Line, Peer, RefusedError, UnansweredError
from forge_agent.work.heartbeats import Heartbeats
from forge_agent.work.holding import Holding, State
from forge_agent.work.reports import Reports
from forge_agent.work.results import Results

ERROR = {"code": "infeasible", "message": "it cannot be", "retryable": False}


class Made:
    def __init__(self, folder: Path) -> None:
        log = Log(io.StringIO(), human=False)
        self.line = Line(Peer("http://127.0.0.1:1", "secret", None))
        self.holding = Holding({"io": 1})
        self.results = Results(folder / "results")
        self.forgotten: list[str] = []
        self.heartbeats = Heartbeats("n1.one", self.line, self.holding, {}, log)
        self.reports = Reports(
            line=self.line,
            holding=self.holding,
            results=self.results,
            heartbeats=self.heartbeats,
            log=log,
            forget=self.forgotten.append,
        )


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


@pytest.mark.parametrize(
    "how",
    [
        {"status": "yielded"},
        {"status": "failed", "error": ERROR, "outcome": "failed"},
    ],
)
@pytest.mark.parametrize("in_a_file", [True, False])
def test_how_it_ended_is_told_without_a_checkpoint_that_cannot_be(
    made: Made, tmp_path: Path, how: dict[str, Any], in_a_file: bool
) -> None:
    message = {"id": "job-1", "lease": "lease-1", **how}
    if in_a_file:
        made.results.put(message, {"checkpoint": tmp_path / "lost"})
    else:
        made.results.put({**message, "checkpoint": 1}, {})
    [result] = made.results.take(1, 0, with_files=True)
    if in_a_file:
        made.reports._send_result(result)
    else:
        made.reports.answered(result, "too_large", "it is too large")
    assert made.forgotten == []
    [again] = made.results.take(9, 10**6, with_files=True)
    assert (again.message, again.files) == (message, {})
    made.reports.answered(again, "invalid", "whatever it is")
    assert (made.forgotten, made.results.unanswered) == (["lease-1"], 0)


def test_a_state_that_comes_while_another_is_refused_is_still_to_be_told(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        made.holding.become(State("ready"))
        raise RefusedError(400, "invalid", "whatever it is")

    monkeypatch.setattr(made.line, "post", refused)
    made.reports._send_news()
    assert not made.holding.state_is_told


def test_a_worker_that_ends_is_heard_to_the_end(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, cut, told = threading.Event(), threading.Event(), []

    def slowly(_path: str, message: dict[str, Any], **_: object) -> dict[str, Any]:
        asked.set()
        if cut.wait(0.2):
            raise UnansweredError("the connection was cut")
        told.append(message["state"])
        return {"renewed": [], "lost": [], "cancel": [], "lease_ttl_s": 300}

    monkeypatch.setattr(made.line, "post", slowly)
    monkeypatch.setattr(made.line, "interrupt", cut.set)
    made.heartbeats.registered = True
    made.holding.become(State("draining"))
    made.reports.start()
    assert asked.wait(5)
    made.reports.stop(5)
    assert told == ["draining"]
