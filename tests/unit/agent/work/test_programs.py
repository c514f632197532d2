"""Whether a plugin's programs can be started here at all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forge_agent.work import plugins, programs, withheld
from forge_agent.work.plugins import Plugin


def plugin(folder: Path, command: str = '["{python}", "main.py"]', more: str = "") -> Plugin:
    (folder / "main.py").touch()
    (folder / "plugin.toml").write_text(
        f'name = "tried"\nversion = "1"\nresource_class = "cpu"\ncommand = {command}\n{more}\n'
    )
    return plugins.check(folder)


@pytest.fixture
def no_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """As on a machine where the agent is a program, and there is no other."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    programs.python.cache_clear()
    yield
    programs._for_python.cache_clear()


def test_nothing_is_lacking_where_all_is_there(tmp_path: Path) -> None:
    assert programs.lacking(plugin(tmp_path, more='modules = ["json", "psutil"]')) == ""
    assert programs.lacking(plugin(tmp_path, '["sh", "-c", "exit"]')) == ""


def test_modules_that_are_missing_are_named_and_how_to_get_them(tmp_path: Path) -> None:
    missing = 'modules = ["json", "no_such_one", "nor_this"]'
    said = f"{sys.executable} has no no_such_one, nor_this"
    assert programs.lacking(plugin(tmp_path, more=missing)) == said
    hinted = plugin(tmp_path, more=f'{missing}\ninstall = "pip install such"')
    assert programs.lacking(hinted) == f"{said}: pip install such"


def test_what_no_job_would_see_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lent").mkdir()
    (tmp_path / "lent" / "lent_by_another.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lent"))
    monkeypatch.syspath_prepend(tmp_path / "lent")
    needy = plugin(tmp_path, more='modules = ["lent_by_another"]')
    assert programs.lacking(needy) == f"{sys.executable} has no lent_by_another"


def test_nothing_of_the_plugin_is_run_to_find_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing would confine it."""
    for name in ("json", "sitecustomize", "main"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('it was run')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert programs.lacking(plugin(tmp_path, more='modules = ["psutil"]')) == ""


def test_a_program_that_is_not_to_be_found(tmp_path: Path) -> None:
    said = programs.lacking(plugin(tmp_path, '["no-such-program"]'))
    assert "'no-such-program' is neither in" in said
    said = programs.lacking(plugin(tmp_path, more='verify = ["no-such-program"]'))
    assert "'no-such-program' is neither in" in said


@pytest.mark.usefixtures("no_python")
def test_no_interpreter(tmp_path: Path) -> None:
    assert "there is no python3" in programs.lacking(plugin(tmp_path, more='modules = ["json"]'))


@pytest.mark.usefixtures("no_python")
def test_modules_are_of_no_interest_to_a_program_that_needs_no_python(tmp_path: Path) -> None:
    """As to the plugin prodplan, once it is a program."""
    assert programs.lacking(plugin(tmp_path, '["sh"]', more='modules = ["no_such_one"]')) == ""


def test_a_program_that_went_since_is_left_to_the_job_to_say(tmp_path: Path) -> None:
    gone = plugin(tmp_path, '["no-such-program"]')
    assert withheld.never(gone, tmp_path) == ""
    assert withheld.closed(gone, tmp_path / "nowhere") == ""


def test_jobs_that_would_be_shown_the_agents_own_files(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    seen = f"its jobs would be shown {tmp_path}, and with it the agent's own files"
    assert withheld.never(plugin(tmp_path), state) == seen
