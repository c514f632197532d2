"""What `forge-agent work` tells the owner, beside what it was asked to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge_agent import cli
from forge_agent.log import NEUTRAL


@pytest.mark.parametrize("word", ["pause", "resume"])
@pytest.mark.parametrize("was_on", [True, False])
def test_there_is_nothing_to_pause_while_work_is_off(
    word: str, was_on: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = ["--state-dir", str(tmp_path)]
    if was_on:
        assert cli.main(["work", "off", *state]) == 0
        capsys.readouterr()
    assert cli.main(["work", word, *state]) == 0
    turning = f"`forge-agent work on --state-dir {tmp_path}`"
    assert capsys.readouterr().out == f"{NEUTRAL} work is off: {turning} turns it on\n"
    assert cli.main(["work", "status", *state]) == 1
    assert turning in capsys.readouterr().out


def test_commands_that_are_suggested_are_for_the_same_agent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "of the owner"
    state = ["--state-dir", str(folder)]
    assert cli.main(["work", "on", "--trust-plugins", *state]) == 0
    said = capsys.readouterr().out
    assert f"once the agent runs: `forge-agent run --state-dir '{folder}'`." in said


def test_a_grant_to_a_plugin_that_is_not_here_is_taken_with_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = ["--state-dir", str(tmp_path)]
    plugin = tmp_path / "plugins" / "echo"
    plugin.mkdir(parents=True)
    (plugin / "run.py").touch()
    (plugin / "plugin.toml").write_text(
        'name = "echo"\nversion = "1"\ncommand = ["{python}", "run.py"]\n'
        'title = "Echo"\nresource_class = "io"\n'
    )
    grants = ["--grant", "echo:network", "--grant", "nosuch:network"]
    assert cli.main(["work", "on", "--trust-plugins", *grants, *state]) == 0
    said = capsys.readouterr().out
    assert "granted to nosuch: network" in said
    assert "! there is no plugin nosuch here now\n" in said
    assert "no plugin echo" not in said


@pytest.mark.parametrize("what", ["state", "", "state/token", "data/fleet.db"])
def test_what_no_plugin_is_given_cannot_be_granted(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "fleet.db").touch()
    path = tmp_path / what
    state = ["--state-dir", str(tmp_path / "state")]
    assert cli.main(["work", "on", "--trust-plugins", *state]) == 0
    allowed = (tmp_path / "state" / "work.json").read_bytes()
    capsys.readouterr()
    assert cli.main(["work", "on", "--grant", f"tried:read:{path}", *state]) == 2
    assert f"{path} is given to no plugin" in capsys.readouterr().err
    assert (tmp_path / "state" / "work.json").read_bytes() == allowed
    # A plugin that asks for it takes no jobs, and nobody is told to grant it.
    plugin = tmp_path / "state" / "plugins" / "tried"
    plugin.mkdir(parents=True)
    (plugin / "plugin.toml").write_text(
        'name = "tried"\nversion = "1"\ncommand = ["sh", "-c", "exit"]\n'
        f'resource_class = "io"\n[needs]\nread = ["{path}"]\n'
    )
    assert cli.main(["plugins", "list", *state]) == 0
    said = capsys.readouterr().out
    assert f"cannot run: {path} is given to no plugin" in said
    assert "--grant" not in said
    assert cli.main(["plugins", "check", str(plugin), *state]) == 1
