"""Looks at all processes of the machine for those of our jobs, as an outsider."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

_EVERY_S: Final = 0.2
_GONE: Final = " (deleted)"
_LONGEST_DOCUMENT: Final = 16 * 1024 * 1024


class Program(NamedTuple):
    """A process of a job. ``began``: with its pid, nobody else's; ``keeper``: its parent."""

    pid: int
    began: str
    keeper: int
    work_dir: Path
    job_id: str


class Watch:
    """A thread that knows all programs whose folder is below ``folder``, and notes two that do the
    same job at the same time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[tuple[int, str], Program | None] = {}
        self._jobs: dict[Path, str] = {}
        self._over = threading.Event()
        self.seen = 0
        self.doubles: list[str] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def look(self) -> list[Program]:
        """Return the programs that jobs' keepers have started, and that live."""
        with self._lock:
            found: dict[tuple[int, str], Program | None] = {}
            for pid in _pids():
                began, parent = _stat(pid)
                if began:
                    key = (pid, began)
                    found[key] = self._known.get(key) or self._program(pid, began, parent)
            self._known = found
            return [program for program in found.values() if program is not None]

    def _run(self) -> None:
        while not self._over.wait(_EVERY_S):
            dirs: defaultdict[str, dict[Path, Program]] = defaultdict(dict)
            for program in self.look():
                self.seen += 1
                dirs[program.job_id][program.work_dir] = program
            for job_id, programs in dirs.items():
                # Looked at one after another, one may have ended before the other began.
                if len(programs) > 1 and all(lives(one) for one in programs.values()):
                    self.doubles.append(f"{job_id}: {sorted(map(str, programs))}")

    def _program(self, pid: int, began: str, parent: int) -> Program | None:
        work_dir = self._work_dir(pid)
        if work_dir is None:
            return None
        job_id = self._jobs.get(work_dir)
        if job_id is None:
            job_id = _job_of(pid)
            if job_id is None:
                return None
            self._jobs[work_dir] = job_id
        return Program(pid, began, parent, work_dir, job_id)

    def _work_dir(self, pid: int) -> Path | None:
        with contextlib.suppress(OSError):
            cwd = os.readlink(f"/proc/{pid}/cwd").removesuffix(_GONE)  # noqa: PTH115
            path = Path(cwd)
            if path.is_relative_to(self._folder) and path.name.startswith("job-"):
                return path
        return None


def lives(program: Program) -> bool:
    return _stat(program.pid)[0] == program.began


def left_over(folder: Path, mark: str) -> list[str]:
    """Return command lines of processes that live in the folder, or carry the mark."""
    found = []
    for pid in _pids():
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            cwd = os.readlink(f"/proc/{pid}/cwd")  # noqa: PTH115
            if pid != os.getpid() and (Path(cwd).is_relative_to(folder) or mark in command):
                found.append(f"{pid}: {command}")
    return found


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208


def _stat(pid: int) -> tuple[str, int]:
    """Return when a process began, and its parent; "" for one that has ended."""
    try:
        content = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return "", 0
    fields = content[content.rindex(b")") + 2 :].split()
    if fields[0] in {b"Z", b"X"}:
        return "", 0
    return fields[19].decode(), int(fields[1])


def _job_of(pid: int) -> str | None:
    """Read what a job's program was told: it is in memory, as its standard input."""
    try:
        with open(f"/proc/{pid}/fd/0", "rb") as file:  # noqa: PTH123
            document = json.loads(file.read(_LONGEST_DOCUMENT))
        return str(document["job_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
