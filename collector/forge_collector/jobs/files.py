"""Large payloads, results and checkpoints as files: DATA/jobs/<job>/<name>.<sha256>.

A file grows as a draft, part by part, each part on disk before it is acknowledged; it gets its name
once it is whole, so under its name there is only ever a whole one. The name tells what is in it: a
file that is to come in the place of another takes nothing away before the store knows of it.
Everything here blocks: call it in a thread. Two parts of one file at a time are the caller's to
prevent.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from forge_collector.config import sync_folder
from forge_shared.job_messages import MAX_FILE_BYTES

FOLDER: Final = "jobs"
PAYLOAD: Final = "payload"
RESULT: Final = "result"
CHECKPOINT: Final = "checkpoint"
NAMES: Final = (PAYLOAD, RESULT, CHECKPOINT)
_MIB: Final = 1024 * 1024
MAX_PART_BYTES: Final = 8 * _MIB
_DRAFT: Final = ".draft"
_READ_BYTES: Final = _MIB
_MOST_HASHES: Final = 64
_RANGE = re.compile(
    r"bytes (?:(?P<first>[0-9]{1,12})-(?P<last>[0-9]{1,12})|\*)/(?P<total>[0-9]{1,12})"
)


class PartError(ValueError):
    """A part does not fit what is there; the message says what would."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which bytes of a file a request brings. ``first`` None: none, it asks how many there are."""

    first: int | None
    total: int

    @classmethod
    def of(cls, content_range: str | None, length: int) -> Part:
        """Read ``Content-Range`` (RFC 9110, section 14.4) of a body of this length; without one
        the body is the whole file. Raises PartError."""
        if content_range is None:
            return cls(0, length)
        match = _RANGE.fullmatch(content_range)
        if match is None:
            raise PartError(
                "write Content-Range as `bytes 0-8388607/20000000` or `bytes */20000000`"
            )
        total = int(match["total"])
        if total > MAX_FILE_BYTES:
            raise PartError(f"a file holds {MAX_FILE_BYTES // _MIB} MiB at most")
        if match["first"] is None:
            if length:
                raise PartError("a request with `bytes */TOTAL` asks how much is there: no body")
            # Of an empty file all is there as soon as it is asked for.
            return cls(None if total else 0, total)
        first, last = int(match["first"]), int(match["last"])
        if last < first or last - first + 1 != length or last >= total:
            raise PartError(f"{content_range} does not fit a body of {length:,} bytes")
        return cls(first, total)


class Draft(NamedTuple):
    """A file that is being uploaded. ``sha256``: of the whole, as it was announced."""

    job_id: str
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Grown:
    """How far a file is. ``sha256``: of what is there."""

    received: int
    total: int
    sha256: str

    @property
    def is_whole(self) -> bool:
        return self.received == self.total


class JobFiles:
    """The files of all jobs, in one folder."""

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER
        # Of drafts that grow now: a part is hashed as it comes, not all of them at the end. Other
        # threads change this at any time, so nothing walks through it.
        self._hashes: dict[Path, tuple[int, Any]] = {}

    def path(self, draft: Draft) -> Path:
        """Return where the file is that the draft became."""
        return self._folder / draft.job_id / f"{draft.name}.{draft.sha256}"

    def draft_path(self, draft: Draft) -> Path:
        """Return where the file grows until it is finished."""
        return self._folder / draft.job_id / f"{draft.name}.{draft.sha256}{_DRAFT}"

    def add(self, draft: Draft, part: Part, body: bytes) -> Grown:
        """Add a part to a draft, durably; raises PartError when bytes before it are missing.

        What is there already is left as it is. Another draft of the file makes way for one that
        begins.
        """
        path = self.draft_path(draft)
        received = self._received(path)
        if part.first is None:
            return self._grown(path, received, part.total)
        if part.first > received:
            raise PartError(f"{received:,} bytes are there; go on with byte {received}")
        news = body[received - part.first :]
        if news or not received:
            self._make_folder(path.parent)
            if part.first == 0:
                self._remove_others(draft)
            self._append(path, received, news)
        return self._grown(path, received + len(news), part.total)

    def finish(self, draft: Draft) -> None:
        """Give a draft that is whole its name, durably."""
        path = self.draft_path(draft)
        path.replace(self.path(draft))
        self._hashes.pop(path, None)
        sync_folder(path.parent)

    def remove_older(self, draft: Draft) -> None:
        """Remove what the file has replaced. What cannot be removed now goes with the job."""
        for other in self.path(draft).parent.glob(f"{draft.name}.*"):
            if other != self.path(draft) and other.suffix != _DRAFT:
                with suppress(OSError):
                    other.unlink()

    def discard(self, draft: Draft) -> None:
        """Remove a draft that turned out wrong."""
        path = self.draft_path(draft)
        self._hashes.pop(path, None)
        path.unlink(missing_ok=True)

    def remove(self, job_ids: Iterable[str]) -> None:
        """Remove all files of these jobs."""
        for job_id in job_ids:
            folder = self._folder / job_id
            for path in [each for each in list(self._hashes) if each.parent == folder]:
                self._hashes.pop(path, None)
            shutil.rmtree(folder, ignore_errors=True)

    def job_ids(self) -> list[str]:
        """Return the ids of the jobs that have files."""
        try:
            return sorted(entry.name for entry in self._folder.iterdir())
        except FileNotFoundError:
            return []

    # --- drafts ----------------------------------------------------------------------------

    def _received(self, path: Path) -> int:
        try:
            return path.stat().st_size
        except FileNotFoundError:
            self._hashes.pop(path, None)
            return 0

    def _append(self, path: Path, received: int, news: bytes) -> None:
        digest = self._digest(path, received)
        with _opened(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) as descriptor:
            try:
                _write_all(descriptor, news)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, received)
                raise
        if received == 0:
            sync_folder(path.parent)
        digest.update(news)
        self._remember(path, received + len(news), digest)

    def _grown(self, path: Path, received: int, total: int) -> Grown:
        digest = self._digest(path, received)
        self._remember(path, received, digest)
        return Grown(received, total, digest.hexdigest())

    def _digest(self, path: Path, received: int) -> Any:  # hashlib names no type of its own
        known, digest = self._hashes.get(path, (-1, None))
        if known == received:
            return digest
        digest = hashlib.sha256()
        if received:
            with path.open("rb") as file:
                while chunk := file.read(_READ_BYTES):
                    digest.update(chunk)
        return digest

    def _remember(self, path: Path, received: int, digest: Any) -> None:
        self._hashes.pop(path, None)  # put back last: the first is the one unused longest
        self._hashes[path] = (received, digest)
        for unused in list(self._hashes)[:-_MOST_HASHES]:
            self._hashes.pop(unused, None)

    def _remove_others(self, draft: Draft) -> None:
        for other in (self._folder / draft.job_id).glob(f"{draft.name}.*{_DRAFT}"):
            if other != self.draft_path(draft):
                self._hashes.pop(other, None)
                other.unlink(missing_ok=True)

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._folder.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(self._folder)
        sync_folder(self._folder.parent)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
