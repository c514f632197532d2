"""docs/agent.md tells every setting, metric and event, and no other."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from forge_agent import cli
from forge_agent.config import SETTINGS
from forge_agent.log import EVENTS
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


def test_every_event_is_told_with_its_level() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", section("Log"), re.MULTILINE)
    assert dict(rows) == {event: said.level for event, said in EVENTS.items()}


def test_every_metric_is_told() -> None:
    names = re.findall(r"`([a-z]+\.[a-z_0-9*]+)[/`]", section("What is measured"))
    untold = [name for name in METRICS if not any(fnmatchcase(name, told) for told in names)]
    assert untold == []
