"""Real jobs of plugins made for a test, on the machine's own means to confine them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from forge_agent import itself
from forge_agent.work import child, confinement, plugins
from forge_agent.work.child import Child, JobSpec
from forge_agent.work.plugins import Granted, Plugin
from tests.process import PATIENCE_S, wait_for

SAME_USER = "Landlock alone"
ANOTHER_USER = "another user, and Landlock"
WAYS = [SAME_USER, *([ANOTHER_USER] if confinement.means().another_user else [])]


def confine_by(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the jobs of this test confined in one of the ways that there are."""
    if way == SAME_USER:
        script = str(Path(__file__).with_name("same_user.py"))
        monkeypatch.setattr(itself, "command", lambda: (sys.executable, "-P", script))


def make_plugin(folder: Path, program: str, manifest: str = "", *, name: str = "main.py") -> Plugin:
    """Write a plugin; ``name`` says whether its program is Python's or the shell's."""
    folder.mkdir(parents=True)
    (folder / name).write_text(program)
    command = ["{python}", name] if name.endswith(".py") else ["sh", name]
    (folder / plugins.MANIFEST).write_text(
        f'name = "tried"\nversion = "1.0"\nresource_class = "cpu"\n'
        f"command = {json.dumps(command)}\n{manifest}"
    )
    return plugins.check(folder)


@contextmanager
def started(
    plugin: Plugin,
    folder: Path,
    payload: object = None,
    *,
    granted: Granted = plugins.NOTHING_GRANTED,
    **spec: Any,
) -> Iterator[Child]:
    """A job of the plugin that runs, and of which nothing is left."""
    work_dir = child.new_work_dir(folder / "jobs")
    document = {
        "job_id": "j1",
        "type": plugin.name,
        "attempt": 1,
        "payload": payload,
        "work_dir": str(work_dir),
    }
    job = Child(JobSpec(plugin, json.dumps(document).encode(), work_dir, granted, **spec))
    try:
        job.start()
        yield job
    finally:
        job.close()
        child.remove_work_dir(work_dir)
    assert not work_dir.exists()


def answer_of(job: Child) -> Any:
    """Return what the program says in its only line."""
    line = job.next_line(PATIENCE_S)
    assert line is not None, job.stderr_tail()
    return json.loads(line)


def lines_of(job: Child, count: int) -> Sequence[Any]:
    return [answer_of(job) for _ in range(count)]


def wait_until_gone(pids: Sequence[int]) -> None:
    wait_for(lambda: not any(lives(pid) for pid in pids), "the job's processes to end")


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until_still(program: psutil.Process) -> None:
    """Wait until a program writes no more."""
    written = -1

    def is_still() -> bool:
        nonlocal written
        before, written = written, program.io_counters().write_chars
        return before == written and program.status() == psutil.STATUS_SLEEPING

    wait_for(is_still, "the program to wait")
