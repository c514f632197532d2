"""The results' spool: how each attempt ended, on disk until the collector has answered."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from forge_agent import private_files

_DIGITS: Final = 12


class Result(NamedTuple):
    """A result that waits. ``message``: as it is sent, the id of its job among its fields;
    ``files``: what is to be uploaded before it, by the names that the collector knows; ``path``:
    None when the disk would not take it."""

    number: int
    message: dict[str, Any]
    files: Mapping[str, Path]
    size: int
    path: Path | None

    @property
    def job_id(self) -> str:
        return str(self.message["id"])

    @property
    def lease(self) -> str:
        return str(self.message["lease"])


class Results:
    """Oldest first, and last those that were sent in vain; each is at any moment with one of those
    who send. For several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._waiting: dict[int, Result] = {}
        self._taken: dict[int, Result] = {}
        self._next = 1
        folder.mkdir(mode=0o700, exist_ok=True)
        for path in sorted(folder.glob("*.json")):
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                content = path.read_bytes()
                found = json.loads(content)
                files = {name: Path(where) for name, where in found["files"].items()}
                number = int(path.stem)
                result = Result(number, found["message"], files, len(content), path)
                self._waiting[number] = result
                self._next = number + 1

    def put(self, message: dict[str, Any], files: Mapping[str, Path]) -> bool:
        """Keep a result until it is answered, and its files; return whether it is on disk. Raises
        ValueError for what is no JSON."""
        whole = {"message": message, "files": {name: str(files[name]) for name in files}}
        content = json.dumps(whole, allow_nan=False).encode()
        with self._lock:
            number, self._next = self._next, self._next + 1
        path = self._folder / f"{number:0{_DIGITS}}.json"
        try:
            private_files.write(path, content)
            kept: Path | None = path
        except OSError:
            kept = None  # a full disk: it is sent from memory
        with self._lock:
            self._waiting[number] = Result(number, message, dict(files), len(content), kept)
        return kept is not None

    def take(self, most: int, most_bytes: int, *, with_files: bool) -> list[Result]:
        """Take the oldest to send them, one at least if any waits; one a job at most.
        ``with_files``: those too that have a file to be sent before them."""
        with self._lock:
            taken: dict[str, Result] = {}
            for result in list(self._waiting.values()):
                if (result.files and not with_files) or result.job_id in taken:
                    continue
                size = sum(one.size for one in taken.values()) + result.size
                if taken and (len(taken) >= most or size > most_bytes):
                    break
                taken[result.job_id] = self._waiting.pop(result.number)
            self._taken |= {result.number: result for result in taken.values()}
            return list(taken.values())

    def give_back(self, results: list[Result]) -> None:
        """Keep those that were not answered, behind the others: one of them may be why."""
        with self._lock:
            self._waiting |= {
                one.number: one for one in results if self._taken.pop(one.number, None)
            }

    def answered(self, result: Result) -> None:
        with self._lock:
            self._taken.pop(result.number, None)
        for path in (result.path, *result.files.values()):
            if path is not None:
                with contextlib.suppress(OSError):
                    path.unlink()

    @property
    def waiting(self) -> int:
        with self._lock:
            return len(self._waiting)

    @property
    def unanswered(self) -> int:
        with self._lock:
            return len(self._waiting) + len(self._taken)

    def files(self) -> set[Path]:
        """Return the files that are to be uploaded."""
        with self._lock:
            waiting = (*self._waiting.values(), *self._taken.values())
            return {path for result in waiting for path in result.files.values()}

    def leases(self) -> set[str]:
        """Return the leases whose results are here."""
        with self._lock:
            return {one.lease for one in (*self._waiting.values(), *self._taken.values())}
