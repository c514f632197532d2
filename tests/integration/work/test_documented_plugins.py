"""docs/plugins.md tells all of it, and its examples are plugins that work; so does echo."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from forge_agent import cli
from forge_agent.log import NEUTRAL
from forge_agent.work import plugins
from forge_agent.work.child import Ending
from forge_agent.work.plugins import Granted, Plugin
from tests.integration.work import jobs
from tests.process import wait_for

TEXT = (Path(__file__).parents[3] / "docs" / "plugins.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`(\w+/[\w.]+)`\n\n```\w+\n(.+?)^```$", TEXT, re.MULTILINE | re.DOTALL))


def documented(name: str, folder: Path) -> Plugin:
    made = folder / name
    made.mkdir()
    for path, content in FILES.items():
        if path.startswith(f"{name}/"):
            (folder / path).write_text(content.replace("/srv/media", f"{folder}/media"))
    return plugins.check(made)


def run(plugin: Plugin, folder: Path, payload: object, **spec: Any) -> tuple[Ending, list[Any]]:
    with jobs.started(plugin, folder, payload, **spec) as job:
        lines = []
        while not job.at_end:
            line = job.next_line(20)
            lines += [] if line is None else [json.loads(line)]
        ending = job.wait(10)
        assert ending is not None, job.stderr_tail()
        return ending, lines


def test_the_example_in_python(tmp_path: Path) -> None:
    plugin = documented("primes", tmp_path)
    ending, lines = run(plugin, tmp_path, {"below": 2001})
    assert ending.clean
    assert lines[-1] == {"type": "result", "result": {"count": 303}}
    progress = {"type": "progress", "fraction": 1000 / 2001, "message": "168 so far"}
    assert lines[1] == progress


def test_the_example_in_python_saves_when_asked_to_end(tmp_path: Path) -> None:
    plugin = documented("primes", tmp_path)
    with jobs.started(plugin, tmp_path, {"below": 10_000_000}) as job:
        assert jobs.answer_of(job)["type"] == "progress"
        job.term()
        ending = job.wait(10)
        assert ending is not None
        assert ending.clean
        last = None
        while (line := job.next_line(5)) is not None:
            last = json.loads(line)
    assert last is not None
    assert last["type"] == "checkpoint"
    assert last["data"]["next"] > 0


def test_the_example_in_shell(open_path: Path) -> None:
    plugin = documented("checksum", open_path)
    (open_path / "media").mkdir()
    (open_path / "media" / "film.mkv").write_text("abc")
    granted = Granted({}, (open_path / "media",), network=False)
    ending, lines = run(plugin, open_path, {"name": "film.mkv"}, granted=granted)
    assert ending.clean
    assert lines[-1]["result"]["sha256"].startswith("ba7816bf8f01cfea")
    with jobs.started(plugin, open_path, {"name": "film.mkv"}) as job:
        ending_without = job.wait(10)
        assert ending_without is not None
        assert ending_without.exit_code == 1
        wait_for(lambda: "Permission denied" in job.stderr_tail(), "what it wrote to be read")
    ending, lines = run(plugin, open_path, {"name": "other.mkv"}, granted=granted)
    assert ending.exit_code == 1
    assert lines == [
        {"type": "error", "code": "no_file", "message": "no such file", "retryable": False}
    ]


def echo() -> Plugin:
    return plugins.check(plugins.beside_the_program() / "echo")


def test_echo_gives_back_what_was_sent(tmp_path: Path) -> None:
    ending, lines = run(echo(), tmp_path, {"text": "ü", "sleep_s": 0.25})
    assert ending.clean
    assert [line["type"] for line in lines] == ["progress", "progress", "result"]
    assert lines[-1]["result"]["echo"] == {"text": "ü", "sleep_s": 0.25}


def test_echo_fails_when_asked_to(tmp_path: Path) -> None:
    ending, lines = run(echo(), tmp_path, {"fail": "for a try"})
    assert ending.exit_code == 1
    assert lines == [
        {"type": "error", "code": "asked_to_fail", "message": "for a try", "retryable": False}
    ]


def test_what_is_large_goes_by_a_file(tmp_path: Path) -> None:
    plugin = jobs.make_plugin(
        tmp_path / "large",
        "import forge_plugin\nforge_plugin.main(lambda job: 'x' * 2_000_000)\n",
    )
    ending, lines = run(plugin, tmp_path, None)
    assert ending.clean
    assert lines == [{"type": "result", "path": "result.json"}]


def test_a_fault_in_the_program_is_told(tmp_path: Path) -> None:
    plugin = jobs.make_plugin(
        tmp_path / "faulty", "import forge_plugin\nforge_plugin.main(lambda job: 1 / 0)\n"
    )
    ending, lines = run(plugin, tmp_path, None)
    assert ending.exit_code == 1
    assert lines[-1]["message"] == "ZeroDivisionError: division by zero"


def test_every_field_of_the_manifest_is_told() -> None:
    section = TEXT.split("## plugin.toml\n")[1].split("\n## ")[0]
    fields = set(re.findall(r"^\| `([a-z_.]+)` \|", section, re.MULTILINE))
    plain = set(Plugin._fields) - {"folder", "limits", "needs"}
    limits = {f"limits.{field}" for field in plugins.Limits._fields}
    needs = {f"needs.{field}" for field in plugins.Needs._fields}
    assert fields == plain | limits | needs


def test_the_commands_tell_what_cannot_run_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = 'modules = ["no_such_one"]\ninstall = "pip install such"\n'
    jobs.make_plugin(tmp_path / "needy", "", needs)
    monkeypatch.setenv("FORGE_PLUGINS", str(tmp_path))
    state = ["--state-dir", str(tmp_path / "state")]
    reason = f"{sys.executable} has no no_such_one: pip install such"
    assert cli.main(["plugins", "list", *state]) == 0
    assert f"    cannot run: {reason}\n" in capsys.readouterr().out
    assert cli.main(["plugins", "list", "--json", *state]) == 0
    [plugin] = json.loads(capsys.readouterr().out)["plugins"]
    assert plugin["unavailable"] == reason
    # There is nothing wrong with it; but who asks about it alone wants to use it.
    assert cli.main(["plugins", "check", *state]) == 0
    assert f"tried 1.0 cannot run: {reason}" in capsys.readouterr().out
    assert cli.main(["plugins", "check", str(tmp_path / "needy")]) == 1
    assert reason in capsys.readouterr().err


def test_every_option_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["plugins", "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert options <= set(re.findall(r"`(--[a-z-]+)", TEXT))


def test_the_commands_tell_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    documented("checksum", tmp_path)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "plugin.toml").write_text("name = 3\n")
    monkeypatch.setenv("FORGE_PLUGINS", str(tmp_path))
    state = ["--state-dir", str(tmp_path / "state")]
    assert cli.main(["plugins", "list", *state]) == 0
    said = capsys.readouterr()
    assert "checksum  1.0  io" in said.out
    granting = f"`forge-agent work on --grant checksum:read:{tmp_path}/media {' '.join(state)}`"
    until = f"takes no jobs until it is granted read:{tmp_path}/media: {granting}\n"
    assert f"    {until}" in said.out
    assert "name must be a line of text" in said.err
    assert cli.main(["plugins", "list", "--json", *state]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [plugin["name"] for plugin in told["plugins"]] == ["checksum"]
    assert cli.main(["plugins", "check", *state]) == 1
    assert f"{NEUTRAL} checksum 1.0 {until}" in capsys.readouterr().out
    one = ["plugins", "check", str(tmp_path / "checksum"), *state]
    assert cli.main(one) == 0
    said = capsys.readouterr()
    assert f"    {until}" in said.out
    assert "jobs are confined here" in said.out
    grant = ["work", "on", "--trust-plugins", "--grant", f"checksum:read:{tmp_path}/media"]
    assert cli.main([*grant, *state]) == 0
    assert cli.main(one) == 0
    assert "until it is granted" not in capsys.readouterr().out
    assert cli.main(["plugins", "check", str(tmp_path / "bad")]) == 1
    assert cli.main(["plugins", "list", str(tmp_path)]) == 2
