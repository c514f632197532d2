"""What a job's program writes: its lines, as fast as they are taken, and the end of its log."""

from __future__ import annotations

import math
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import IO, Final

LONGEST_LINE: Final = 8 * 1024 * 1024
LONGEST_TAIL: Final = 16 * 1024
_PART: Final = 64 * 1024
_MOST_LINES: Final = 64
_MOST_BYTES: Final = 8 * 1024 * 1024
# Of a core, for each thread that takes what a program writes: that is time of the worker, which no
# limit of the job holds. So much at once is free, and more than any program of sense needs.
_SHARE: Final = 0.05
_AT_ONCE_S: Final = 1.0
_LEAST_REST_S: Final = 0.02  # to rest costs time as well

# What terminals obey: sequences of ESC, or of its one-character forms, up to their ends.
_SEQUENCES: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x9b[0-?]*[ -/]*[@-~]"
    r"|\x1b[P\]X^_][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)


class Pace:
    """Keeps the thread that asks to its share of a core."""

    def __init__(
        self,
        spent_s: Callable[[], float] = time.thread_time,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spent_s = spent_s
        self._now_s = now_s
        self._before: tuple[float, float] | None = None
        self._left_s = _AT_ONCE_S

    def rest_s(self) -> float:
        """Return how long the thread is to rest before it goes on."""
        spent_s, now_s = self._spent_s(), self._now_s()
        if self._before is not None:
            spent_before_s, before_s = self._before
            earned_s = (now_s - before_s) * _SHARE
            self._left_s = min(self._left_s + earned_s, _AT_ONCE_S) - (spent_s - spent_before_s)
        self._before = spent_s, now_s
        return 0.0 if self._left_s >= 0 else max(-self._left_s / _SHARE, _LEAST_REST_S)


class Lines:
    """Lines between the thread that reads them and the one that takes them. So few wait that the
    program soon does, too, when nobody takes them; nor are more taken than both threads have time
    for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._is_closed = False
        self._is_refused = False
        self._is_hurried = False
        self._reading = Pace()
        self._taking = Pace()

    def read_all(self, source: IO[bytes]) -> bool:
        """Read until there is no more; return False when a line was too long."""
        try:
            return self._read(source)
        finally:
            with self._changed:
                self._is_closed = True
                self._changed.notify_all()

    def take(self, timeout_s: float) -> bytes | None:
        until_s = time.monotonic() + timeout_s
        if not self._rest(self._taking, timeout_s):
            return None
        with self._changed:
            left_s = until_s - time.monotonic()
            self._changed.wait_for(lambda: self._waiting or self._is_closed, left_s)
            if not self._waiting:
                return None
            line = self._waiting.popleft()
            self._waiting_bytes -= len(line)
            self._changed.notify_all()
            return line

    @property
    def at_end(self) -> bool:
        with self._changed:
            return self._is_closed and not self._waiting

    def hurry(self) -> None:
        """Take what comes as fast as it does: the program is about to end."""
        with self._changed:
            self._is_hurried = True
            self._changed.notify_all()

    def refuse(self) -> None:
        """Have no more lines: what comes is thrown away."""
        with self._changed:
            self._is_refused = True
            self._changed.notify_all()

    def _read(self, source: IO[bytes]) -> bool:
        begun = bytearray()
        while part := _some(source):
            *whole, rest = part.split(b"\n")
            for end in whole:
                begun += end
                if len(begun) > LONGEST_LINE:
                    return False
                self._put(bytes(begun))
                begun.clear()
            begun += rest
            if len(begun) > LONGEST_LINE:
                return False
            self._rest(self._reading)
        self._put(bytes(begun))
        return True

    def _rest(self, pace: Pace, most_s: float = math.inf) -> bool:
        """Wait until it is this thread's time again, or there is no more to come; return whether it
        is."""
        rest_s = pace.rest_s()
        if not rest_s:
            return True
        with self._changed:
            over = self._changed.wait_for(
                lambda: self._is_closed or self._is_refused or self._is_hurried, min(rest_s, most_s)
            )
            return over or rest_s <= most_s

    def _put(self, line: bytes) -> None:
        line = line.removesuffix(b"\r")
        if not line.strip():
            return
        with self._changed:
            self._changed.wait_for(self._has_room)
            if not self._is_refused:
                self._waiting.append(line)
                self._waiting_bytes += len(line)
                self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._is_refused or (
            len(self._waiting) < _MOST_LINES and self._waiting_bytes < _MOST_BYTES
        )


class Tail:
    """The last of what a program wrote for people."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept = bytearray()
        self._is_cut = False

    def read_all(self, source: IO[bytes]) -> None:
        pace = Pace()
        while part := _some(source):
            time.sleep(pace.rest_s())
            with self._lock:
                self._kept += part
                if len(self._kept) > LONGEST_TAIL:
                    del self._kept[:-LONGEST_TAIL]
                    self._is_cut = True

    def text(self) -> str:
        """Return it without what a terminal would obey, from the beginning of a line on."""
        with self._lock:
            kept, is_cut = bytes(self._kept), self._is_cut
        if is_cut and b"\n" in kept:
            kept = kept.partition(b"\n")[2]
        return harmless(kept)[-LONGEST_TAIL:]


def harmless(written: bytes) -> str:
    text = written.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    text = _SEQUENCES.sub("", text)
    return "".join(
        char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )


def _some(source: IO[bytes]) -> bytes:
    """Return what there is, b"" when there is and will be no more."""
    try:
        return source.read1(_PART)  # type: ignore[attr-defined,no-any-return]  # a BufferedReader
    except (OSError, ValueError):
        return b""
