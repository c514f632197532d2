"""Whether `run` keeps a worker, by the owner's last word."""

from __future__ import annotations

import io
import json
import random
from itertools import pairwise
from pathlib import Path

import pytest

from forge_agent.config import Settings
from forge_agent.log import Log
from forge_agent.work import supervision
from forge_agent.work.supervision import Supervision


class FakeWorker:
    """A process that ends when it is told to, or when a test says so."""

    pid = 7

    def __init__(self) -> None:
        self.code: int | None = None
        self.told: list[str] = []

    def poll(self) -> int | None:
        return self.code

    def terminate(self) -> None:
        self.told.append("terminate")

    def kill(self) -> None:
        self.told.append("kill")


class Stage:
    def __init__(self, state_dir: Path, *, setting: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = state_dir / "work.json"
        self.started: list[FakeWorker] = []
        monkeypatch.setattr(supervision, "_started", self._start)
        settings = Settings("n1", "http://127.0.0.1:1", "secret", state_dir, 0, 1, work=setting)
        self.output = io.StringIO()
        self.supervision = Supervision(settings, Log(self.output, human=False))

    def _start(self, command: list[str], env: dict[str, str]) -> FakeWorker:
        assert "secret" not in command
        assert env["BEARER_TOKEN"] == "secret"
        self.started.append(FakeWorker())
        return self.started[-1]

    def say(self, enabled: object) -> None:
        self.path.unlink(missing_ok=True)
        self.path.write_text(json.dumps({"enabled": enabled}))


@pytest.mark.parametrize(
    ("setting", "content", "runs"),
    [
        (False, None, False),
        (True, None, True),
        (False, '{"enabled": true}', True),
        (True, '{"enabled": false}', False),
        (True, '{"enabled": null}', True),
        (True, '{"enabled": 1}', False),
        (True, "{", False),
        (True, "[]", False),
    ],
)
def test_the_owners_last_word_counts_before_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: bool, content: str | None, runs: bool
) -> None:
    stage = Stage(tmp_path, setting=setting, monkeypatch=monkeypatch)
    if content is not None:
        stage.path.write_text(content)
    stage.supervision.poll(0)
    assert bool(stage.started) is runs


def test_a_worker_that_ends_is_started_again_after_growing_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, setting=True, monkeypatch=monkeypatch)
    monkeypatch.setattr(random, "random", lambda: 0.5)
    now_s, starts = 0.0, []
    for _ in range(4000):
        count = len(stage.started)
        stage.supervision.poll(now_s)
        if len(stage.started) > count:
            starts.append(now_s)
            stage.started[-1].code = 1
        now_s += 0.1
    pauses = [round(after - then) for then, after in pairwise(starts)]
    assert pauses[:5] == [2, 2, 3, 5, 9]
    assert max(pauses) == 16


def test_one_that_is_told_to_stop_and_does_not_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, setting=True, monkeypatch=monkeypatch)
    stage.supervision.poll(0)
    [worker] = stage.started
    stage.say(False)
    stage.supervision.poll(1)
    stage.supervision.poll(2)
    assert worker.told == ["terminate"]
    stage.supervision.poll(2 + supervision.DRAIN_S)
    assert worker.told == ["terminate", "kill"]
    worker.code = -9
    stage.supervision.poll(20)
    assert "worker_stopped" in stage.output.getvalue()
    stage.say(True)
    stage.supervision.poll(21)
    assert len(stage.started) == 2


def test_a_program_that_cannot_be_started_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, setting=True, monkeypatch=monkeypatch)

    def fail(command: list[str], env: dict[str, str]) -> FakeWorker:
        raise FileNotFoundError(2, "No such file")

    monkeypatch.setattr(supervision, "_started", fail)
    stage.supervision.poll(0)
    assert "cannot be started" in stage.output.getvalue()
    stage.supervision.stop()
