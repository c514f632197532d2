"""The help, as a terminal of 80 columns shows it."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from forgectl import cli


def groups(command: click.Command, *path: str) -> list[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        return []
    below = [groups(each, *path, name) for name, each in command.commands.items()]
    return [path, *(each for some in below for each in some)]


@pytest.mark.parametrize("group", groups(cli.main), ids=" ".join)
def test_no_summary_of_a_command_is_cut(group: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cli.main, [*group, "--help"], terminal_width=80).output
    _, _, summaries = shown.partition("Commands:\n")
    lines = summaries.splitlines()
    assert len(lines) >= 2, shown
    for line in lines:
        assert line.endswith("."), shown
        assert "..." not in line, shown
