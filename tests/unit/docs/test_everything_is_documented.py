"""Every route, command, setting, metric, problem and event stands in the documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from forge_collector import cli as collector_cli
from forge_collector import events
from forge_collector.app import Collector
from forge_collector.config import Settings
from forge_collector.http.problems import KINDS
from forge_collector.http.routing import Route
from forge_shared.messages import Role
from forge_shared.metrics import METRICS
from forgectl import cli as forgectl_cli

DOCS = Path(__file__).parents[3] / "docs"
PROTOCOL = (DOCS / "protocol.md").read_text()
OPERATIONS = (DOCS / "operations.md").read_text()


@pytest.fixture
async def collector(tmp_path: Path) -> Any:
    started = Collector(
        Settings("127.0.0.1", 0, tmp_path, admin_secret="a" * 32, local_agent=False)
    )
    await started.start()
    yield started
    await started.stop()


def role_word(route: Route[Any]) -> str:
    words = {
        frozenset[Role](): "open",
        frozenset({Role.NODE}): "node",
        frozenset({Role.SUBMITTER, Role.ADMIN}): "submitter",
        frozenset({Role.NODE, Role.SUBMITTER, Role.ADMIN}): "node, submitter",
        frozenset({Role.VIEWER, Role.ADMIN}): "viewer",
        frozenset({Role.SUBMITTER, Role.VIEWER, Role.ADMIN}): "people",
        frozenset({Role.ADMIN}): "admin",
        frozenset(Role): "any",
    }
    return words[route.roles]


async def test_every_route_with_its_role(collector: Collector) -> None:
    documented = set(re.findall(r"^\| `(\w+ /\S+)` \| ([\w, ]+) \|", PROTOCOL, re.MULTILINE))
    assert documented == {
        (f"{route.method} {route.path}", role_word(route)) for route in collector.routes()
    }


def test_every_problem_with_its_status() -> None:
    documented = set(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", PROTOCOL, re.MULTILINE))
    assert documented == {(code, str(kind.status)) for code, kind in KINDS.items()}


def test_every_event() -> None:
    documented = set(re.findall(r"^\| `(\w+\.\w+)` \| [^|]+ \|$", PROTOCOL, re.MULTILINE))
    assert documented == {event.name for event in get_args(events.Event)}


def test_every_metric_as_its_table_says() -> None:
    for metric in METRICS.values():
        row = (
            f"| `{metric.name}` | {metric.instance or ''} | {metric.unit} | "
            f"{metric.resolution:.15g} | {metric.kind} | {metric.title} |"
        )
        assert row in PROTOCOL


async def test_every_figure_of_the_collector(collector: Collector) -> None:
    documented = set(re.findall(r"^\| `(forge_\w+)` \|", OPERATIONS, re.MULTILINE))
    assert documented == collector.telemetry.names()


def test_every_option_and_variable_of_the_collector() -> None:
    serve = collector_cli.main.commands["serve"]
    for option in serve.params:
        assert isinstance(option, click.Option)
        for name in [*option.opts, *option.secondary_opts]:
            assert f"`{name}`" in OPERATIONS
        assert f"`{option.envvar}`" in OPERATIONS
    assert "`ADMIN_SECRET`" in OPERATIONS


def test_every_command_of_the_collector_with_its_options() -> None:
    rows = dict(re.findall(r"^\| `forge-collector (\w+)` \| (.+) \|$", OPERATIONS, re.MULTILINE))
    existing = dict(collector_cli.main.commands)
    del existing["serve"]  # its options have a table of their own
    assert rows.keys() == existing.keys()
    for name, command in existing.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert f"`{parameter.opts[0]}`" in rows[name], name


def commands(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield f"{prefix} {name}", command


def test_every_command_of_forgectl_with_its_options() -> None:
    rows = dict(re.findall(r"^\| `(forgectl [\w -]+)` \| (.+) \|$", OPERATIONS, re.MULTILINE))
    existing = dict(commands(forgectl_cli.main, "forgectl"))
    assert rows.keys() == existing.keys()
    for name, command in existing.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.opts[0] in rows[name], name


def test_every_dependency_has_its_reason() -> None:
    architecture = (DOCS / "architecture.md").read_text()
    project = (DOCS.parent / "pyproject.toml").read_text()
    dependencies = re.findall(r'^  "([a-z][\w-]*)(?:\[\w+\])?>=', project, re.MULTILINE)
    assert len(dependencies) > 20
    table = "\n".join(line for line in architecture.splitlines() if line.startswith("| "))
    for dependency in dependencies:
        assert re.search(rf"\b{dependency}\b", table, re.IGNORECASE), dependency
