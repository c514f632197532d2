"""docs/agent.md tells every setting, metric and event, and no other."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from forge_agent import cli, doctor
from forge_agent.config import SETTINGS
from forge_agent.log import EVENTS
from forge_agent.noted import Note, Spooled
from forge_agent.status import Status, as_json
from forge_agent.whereabouts import Whereabouts
from forge_shared.metrics import METRICS

TEXT = (Path(__file__).parents[3] / "docs" / "agent.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return TEXT.split(f"## {title}\n")[1].split("\n## ")[0]


def test_every_variable_is_told() -> None:
    rows = re.findall(r"^\|[^|]*\| `(\w+)` \|", section("Settings"), re.MULTILINE)
    assert sorted(rows) == sorted(SETTINGS)


def test_every_flag_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["run", "--help"])
    flags = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert set(re.findall(r"^\| `(--[a-z-]+)", section("Settings"), re.MULTILINE)) == flags


def test_every_option_of_join_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["join", "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert set(re.findall(r"^\| `(--[a-z-]+)", section("Joining"), re.MULTILINE)) == options


@pytest.mark.parametrize(
    ("command", "title"),
    [
        ("install", "Installing as a service"),
        ("uninstall", "Installing as a service"),
        ("status", "Status"),
        ("doctor", "Doctor"),
        ("work", "Work"),
    ],
)
def test_every_option_of_living_here_is_told(
    command: str, title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert options <= set(re.findall(r"`(--[a-z-]+)", section(title)))


def test_every_check_of_the_doctor_is_told() -> None:
    checks = doctor.Examination(Whereabouts(None, (), None), list).run()
    told = re.findall(r"^\| `(\w+)` \|", section("Doctor"), re.MULTILINE)
    assert told == [check.name for check in checks]


def test_every_field_of_the_status_is_told() -> None:
    found = Status((), None, None, None, None)
    told = set(re.findall(r"`(\w+)`", section("Status")))
    assert told >= set(as_json(found)) | set(Note._fields) | set(Spooled._fields)


def test_every_event_is_told_with_its_level() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", section("Log"), re.MULTILINE)
    assert dict(rows) == {event: said.level for event, said in EVENTS.items()}


def test_every_metric_is_told() -> None:
    names = re.findall(r"`([a-z]+\.[a-z_0-9*]+)[/`]", section("What is measured"))
    untold = [name for name in METRICS if not any(fnmatchcase(name, told) for told in names)]
    assert untold == []
