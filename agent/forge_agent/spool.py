"""Snapshots that wait on disk: NDJSON in numbered segment files, the oldest dropped when full.

Lines are written through to the operating system, so they outlive the process; they are not
fsynced, so a power cut may cost the last seconds. A segment is deleted when all its lines were
answered; one that was answered in part is sent again after a restart, which does no harm: a
snapshot's identity is (node, boot_id, seq).
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from forge_agent.core import spooling
from forge_agent.log import Log, Trouble

_SEGMENT_NAME = re.compile(r"(\d{10})\.ndjson")
_APPEND: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


class Batch(NamedTuple):
    """Lines to replay, and where in the spool they came from."""

    body: bytes
    lines: int
    segment: int
    start: int
    end: int


class Spool:
    """A queue of lines in ``folder``; usable from several threads.

    ``dropped`` counts the snapshots lost since start, to the limit or to a full disk. Raises
    OSError when the folder cannot be made or read.
    """

    def __init__(self, folder: Path, limit_bytes: int, log: Log) -> None:
        self.dropped = 0
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._segment_bytes = spooling.segment_bytes(limit_bytes)
        self._log = log
        self._full = Trouble(log)
        self._disk = Trouble(log)
        # Guards all below: the sampler appends while the uplink reads.
        self._lock = threading.Lock()
        self._sizes: dict[int, int] = {}  # by segment number, oldest first
        self._read_to = 0  # bytes answered of the oldest segment
        self._fd: int | None = None  # open for appending: the newest segment
        self._last_number = 0
        self._failing = False  # the last line could not be written
        self._open()

    def append(self, line: bytes) -> None:
        """Keep a line, which ends with a newline. Never raises: what cannot be kept is counted."""
        with self._lock:
            self._make_room_for(len(line))
            error = self._try_append(line)
            if error is not None and len(self._sizes) > 1 and not self._failing:
                # Once only, until a line gets through: other programs may eat what we free.
                self._drop_oldest()
                error = self._try_append(line)
            self._failing = error is not None
            if error is not None:
                self.dropped += 1
                reason = error.strerror or type(error).__name__
                self._disk.persists("disk_full", reason, reason=reason)
            elif self._disk.over():
                self._log.event("disk_recovered")

    def next_batch(self, max_lines: int) -> Batch | None:
        """Return the oldest lines, all of one segment; None when nothing waits."""
        with self._lock:
            while self._sizes:
                number = next(iter(self._sizes))
                cut = self._read(number, max_lines)
                if cut is not None and cut.lines:
                    end = self._read_to + cut.consumed
                    return Batch(cut.body, cut.lines, number, self._read_to, end)
                self._advance(self._sizes[number] if cut is None else self._read_to + cut.consumed)
            return None

    def answered(self, batch: Batch) -> None:
        """Forget a batch: it was stored, or refused for good."""
        with self._lock:
            # The segment may have been dropped for room meanwhile.
            if next(iter(self._sizes), None) == batch.segment and self._read_to == batch.start:
                self._advance(batch.end)

    @property
    def waiting_bytes(self) -> int:
        with self._lock:
            return self._waiting_bytes()

    def close(self) -> None:
        with self._lock:
            self._close_newest()

    def _open(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = (_SEGMENT_NAME.fullmatch(path.name) for path in self._folder.iterdir())
        for number in sorted(int(match.group(1)) for match in found if match):
            self._sizes[number] = self._path(number).stat().st_size
            self._last_number = number
        if self._sizes:
            # Only the newest was being written when a process or a machine died.
            self._sizes[self._last_number] -= self._cut_torn_line(self._path(self._last_number))

    def _cut_torn_line(self, path: Path) -> int:
        """Cut an unfinished last line off a segment, and return how many bytes it had."""
        last = b""
        with path.open("rb") as segment:
            for line in segment:
                last = line
        if not last or last.endswith(b"\n"):
            return 0
        os.truncate(path, path.stat().st_size - len(last))
        self._log.event("torn_line", file=path.name, bytes=len(last))
        return len(last)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:010}.ndjson"

    def _waiting_bytes(self) -> int:
        return sum(self._sizes.values()) - self._read_to

    # --- writing --------------------------------------------------------------------------------

    def _try_append(self, line: bytes) -> OSError | None:
        """Write a whole line or nothing; return what went wrong."""
        try:
            fd = self._newest(len(line))
            size = self._sizes[self._last_number]
        except OSError as error:
            return error
        try:
            _write_all(fd, line)
        except OSError as error:
            self._undo(fd, size)
            return error
        self._sizes[self._last_number] = size + len(line)
        return None

    def _undo(self, fd: int, size: int) -> None:
        """Take back half a line, or leave the segment: another line must not be glued to it."""
        try:
            os.ftruncate(fd, size)
        except OSError:
            self._close_newest()

    def _newest(self, incoming: int) -> int:
        """Return the segment to append to, beginning another when it has no room."""
        if self._fd is not None:
            if self._sizes[self._last_number] + incoming <= self._segment_bytes:
                return self._fd
            self._close_newest()
        number = self._last_number + 1
        self._fd = os.open(self._path(number), _APPEND, 0o600)
        self._last_number = number
        self._sizes[number] = 0
        return self._fd

    def _close_newest(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _make_room_for(self, incoming: int) -> None:
        sizes = list(self._sizes.values())
        drops = spooling.segments_to_drop(sizes, incoming, self._limit_bytes)
        for _ in range(drops):
            self._drop_oldest()
        if drops:
            self._full.persists("spool_full", "full", limit_bytes=self._limit_bytes)

    def _drop_oldest(self) -> None:
        number = next(iter(self._sizes))
        try:
            with self._path(number).open("rb") as segment:
                segment.seek(self._read_to)
                self.dropped += sum(1 for line in segment if line.strip())
        except OSError as error:
            self._log.event("spool_unreadable", reason=f"{self._path(number).name}: {error}")
        self._remove_oldest()

    # --- reading --------------------------------------------------------------------------------

    def _read(self, number: int, max_lines: int) -> spooling.Cut | None:
        """Cut the next lines from the oldest segment; None when it cannot be read."""
        try:
            with self._path(number).open("rb") as segment:
                segment.seek(self._read_to)
                chunk = segment.read(spooling.BATCH_BYTES)
                if b"\n" not in chunk:
                    # A damaged line longer than a batch goes alone.
                    chunk += segment.readline()
        except OSError as error:
            self._log.event("spool_unreadable", reason=f"{self._path(number).name}: {error}")
            return None
        found = spooling.cut(chunk, max_lines)
        # Without a line's end there is nothing more to read, whatever size we remember.
        return found if found.consumed else None

    def _advance(self, read_to: int) -> None:
        """Go on reading the oldest segment from here; delete it when that is its end."""
        self._read_to = read_to
        if read_to >= self._sizes[next(iter(self._sizes))]:
            self._remove_oldest()

    def _remove_oldest(self) -> None:
        number = next(iter(self._sizes))
        if number == self._last_number:
            self._close_newest()
        del self._sizes[number]
        self._read_to = 0
        _unlink(self._path(number), self._log)


def _write_all(fd: int, line: bytes) -> None:
    """Write a line; raises OSError, half of the line written perhaps."""
    rest = memoryview(line)
    write: Callable[[int, memoryview], int] = os.write
    while rest:
        rest = rest[write(fd, rest) :]


def _unlink(path: Path, log: Log) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.event("spool_unreadable", reason=f"{path.name}: {error}")
