"""Starts the frozen agent, in an environment that holds nothing but what it is given."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from tests.process import PATIENCE_S, wait_for

_ENDS_WITHIN_S: Final = 60.0
# Where nothing can be written, not even by root.
READ_ONLY: Final = Path("/proc") if Path("/proc").is_dir() else Path("/")
# Windows' programs find the system's libraries by it.
_NEEDED: Final = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}


class Agent:
    """A running agent. ``temp``: its folder for temporary files, its own alone."""

    def __init__(self, process: subprocess.Popen[bytes], log_path: Path, temp: Path) -> None:
        self.process = process
        self.log_path = log_path
        self.temp = temp

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = self.log_path.read_text().splitlines()
        said = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [each for each in said if each["event"] == name]

    def said(self, name: str, *, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait until it has said so, and return what it said last."""

        def look() -> dict[str, Any] | None:
            assert self.process.poll() is None, self.log_path.read_text()
            found = self.events(name)
            return found[-1] if found else None

        return wait_for(look, f"the agent to say {name}", patience_s=patience_s)

    def family(self) -> list[psutil.Process]:
        """Return it and all processes below it."""
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def running(self, command: str) -> list[psutil.Process]:
        """Return those of the family that run this command. One that has just ended runs none."""
        return [each for each in self.family() if command in _line(each)]

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE_S)


def _line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def ended(program: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, from a folder that is not ours to write to."""
    return subprocess.run(
        [str(program), *arguments],
        cwd=READ_ONLY,
        env={**_NEEDED, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=_ENDS_WITHIN_S,
        check=False,
    )


@contextmanager
def running(
    program: Path, folder: Path, *options: str, command: Sequence[str] = ("run",), **env: str
) -> Iterator[Agent]:
    """An agent that runs until the block is left. ``command``: up to the options of `run`."""
    temp, log_path = folder / "temp", folder / "agent.log"
    temp.mkdir(parents=True, exist_ok=True)
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [str(program), *command, "--state-dir", str(folder / "state"), *options],
            cwd=READ_ONLY,
            env={**_NEEDED, "TMPDIR": str(temp), "TEMP": str(temp), **env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    agent = Agent(process, log_path, temp)
    try:
        yield agent
    finally:
        if process.poll() is None:
            family = agent.family()
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                for each in reversed(family):
                    each.kill()
                process.wait(PATIENCE_S)
