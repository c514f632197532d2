"""One call in flight for each file system, and no wait for one that is silent."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace

import psutil
import pytest

from forge_agent.log import Log
from forge_agent.sampling import asking
from forge_agent.sampling.asking import Asker
from forge_agent.sampling.mounts import FileSystems


class Silent:
    """Calls that come back only when they may."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.calls: list[str] = []

    def asked(self, name: str) -> str:
        self.calls.append(name)
        assert self.may_answer.wait(30)
        return name


@pytest.fixture
def silent() -> Iterator[Silent]:
    dead = Silent()
    yield dead
    dead.may_answer.set()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE_S", 0.05)
    monkeypatch.setattr(asking, "_LONGEST_S", 0.2)


def eventually_answers(asker: Asker[str], questions: dict[str, partial[str]]) -> dict[str, str]:
    for _ in range(100):
        answers = asker.ask(questions)
        if len(answers) == len(questions):
            break
        time.sleep(0.02)
    return answers


def test_answers_come_by_name_and_none_is_left_out() -> None:
    asker: Asker[int] = Asker()
    assert asker.ask({"a": lambda: 1, "b": lambda: None, "c": lambda: 3}) == {"a": 1, "c": 3}
    assert asker.ask({}) == {}


def test_one_thread_does_all_while_all_answer() -> None:
    asker: Asker[int] = Asker()
    threads = {asker.ask({"a": threading.get_ident})["a"] for _ in range(5)}
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_a_silent_one_is_asked_once_and_the_others_go_on(silent: Silent) -> None:
    asker: Asker[str] = Asker()
    questions = {
        "a": partial(str, "A"),
        "dead": partial(silent.asked, "dead"),
        "z": partial(str, "Z"),
    }
    for _ in range(4):
        assert asker.ask(questions) == {"a": "A", "z": "Z"}
        assert asker.silent == {"dead"}
    assert silent.calls == ["dead"]
    silent.may_answer.set()
    assert eventually_answers(asker, questions) == {"a": "A", "dead": "dead", "z": "Z"}
    assert asker.silent == set()


def test_many_silent_ones_hold_up_a_sample_no_longer_than_one_budget(silent: Silent) -> None:
    before = threading.active_count()
    asker: Asker[str] = Asker()
    questions = {f"d{number:02}": partial(silent.asked, f"d{number:02}") for number in range(40)}
    for _ in range(12):
        began_s = time.monotonic()
        assert asker.ask(questions) == {}
        assert time.monotonic() - began_s < 2
    assert threading.active_count() - before <= 17
    assert len(silent.calls) == len(set(silent.calls)) == 16


def test_slow_ones_are_waited_for_as_long_as_the_budget_lasts() -> None:
    asker: Asker[str] = Asker()

    def slowly() -> str:
        time.sleep(0.03)
        return "late"

    found = asker.ask({str(number): slowly for number in range(30)})
    assert 2 <= len(found) < 30


def test_a_file_system_that_is_silent_is_left_out_and_said_once(
    silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_usage(path: str) -> SimpleNamespace:
        if path == "/proc":
            silent.asked(path)
        return SimpleNamespace(total=100, used=40, free=60)

    parts = [
        SimpleNamespace(device=device, mountpoint=path, fstype="ext4", opts="rw")
        for device, path in (("/dev/a", "/"), ("/dev/b", "/proc"), ("/dev/c", "/sys"))
    ]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: parts)
    monkeypatch.setattr(psutil, "disk_usage", disk_usage)
    stream = io.StringIO()
    family = FileSystems(Log(stream, human=False))
    for _ in range(3):
        gauges = family.read().gauges
        assert {key for key in gauges if "pct" in key} == {"disk.pct//", "disk.pct//sys"}
    silent.may_answer.set()
    for _ in range(100):
        if "disk.pct//proc" in family.read().gauges:
            break
        time.sleep(0.02)
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["file_system"]) for line in told] == [
        ("file_system_silent", "/dev/b"),
        ("file_system_answers", "/dev/b"),
    ]
