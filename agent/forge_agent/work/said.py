"""What a job's program has said, and what of it the collector was told."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from forge_agent.core import job_lines
from forge_agent.core.untrusted import printable
from forge_agent.work import clock
from forge_agent.work.collector import MAX_INLINE_BYTES
from forge_agent.work.kept import Kept, UnusableFileError

_NEWS_EVERY_S: Final = 2.0
_KEPT_EVERY_S: Final = 2.0
_MOST_REMARKS: Final = 20
_LONGEST_SHOWN: Final = 200
# What is sent holds it a few levels deeper, and others read it with less room than there is here.
_MOST_LEVELS: Final = 200


class Document:
    """JSON that a program has given: in a message, or a file where it is too large for one."""

    def __init__(self, data: Any, content: bytes, path: Path | None) -> None:
        self.data = data
        self.content = content
        self.path = path
        self.told = False
        self.in_use = False
        self.is_dropped = False

    def drop(self) -> None:
        """Remove its file, unless somebody reads it."""
        self.is_dropped = True
        if self.path is not None and not self.in_use:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)


class Said:
    """``take`` is for the thread that reads the program; the rest for those who tell others.

    ``work_dir``: where the program leaves files.
    """

    def __init__(self, lease: str, kept: Kept, work_dir: Callable[[], Path]) -> None:
        self._lease = lease
        self._kept = kept
        self._work_dir = work_dir
        self._kept_s = -_KEPT_EVERY_S
        self.result: Document | None = None
        self.error: dict[str, Any] | None = None
        self.remarks: list[str] = []
        # Guards all below.
        self._lock = threading.Lock()
        self._news = job_lines.News()
        self._told_s = -_NEWS_EVERY_S
        self._checkpoint: Document | None = None

    # --- the program's lines ----------------------------------------------------------------

    def take(self, line: bytes) -> bool:
        """Take a line; return whether the job has got any further."""
        try:
            said = json.loads(line, parse_constant=_refuse)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            self._remark(f"no JSON object: {line[:_LONGEST_SHOWN]!r}")
            return False
        try:
            return self._take(said)
        except (UnusableFileError, OSError, ValueError, RecursionError) as error:
            self._remark(str(error))
            return False

    def _take(self, said: dict[str, Any]) -> bool:
        match said.get("type"):
            case "progress":
                with self._lock:
                    return self._news.take_progress(said)
            case "incumbent":
                with self._lock:
                    return self._news.take_incumbent(said, clock.wall_ms())
            case "checkpoint":
                return self._take_checkpoint(self._document(said, "data"))
            case "result":
                before, self.result = self.result, self._document(said, "result")
                if before is not None:
                    before.drop()
            case "error":
                self.error = job_lines.error_of(said)
            case other:
                self._remark(f"a line of a type that there is not: {str(other)[:_LONGEST_SHOWN]}")
                return False
        return True

    def _document(self, said: dict[str, Any], field: str) -> Document:
        name = said.get("path")
        if isinstance(name, str) and field not in said:
            path = self._kept.take(self._work_dir(), name)
            if path.stat().st_size > MAX_INLINE_BYTES:
                return Document(None, b"", path)
            content = path.read_bytes()
            path.unlink()
            said = {field: json.loads(content, parse_constant=_refuse)}
        _check_levels(said.get(field))
        content = json.dumps(said.get(field), separators=(",", ":"), allow_nan=False).encode()
        if len(content) <= MAX_INLINE_BYTES:
            return Document(said.get(field), content, None)
        path = self._kept.new_file()
        path.write_bytes(content)
        return Document(None, b"", path)

    def _take_checkpoint(self, checkpoint: Document) -> bool:
        with self._lock:
            before, self._checkpoint = self._checkpoint, checkpoint
        if before is not None:
            before.drop()
        now_s = time.monotonic()
        if checkpoint.path is None and now_s - self._kept_s >= _KEPT_EVERY_S:
            self._kept_s = now_s
            self._kept.keep_checkpoint(self._lease, checkpoint.content)
        return before is None or checkpoint.path is not None or before.content != checkpoint.content

    def _remark(self, text: str) -> None:
        if len(self.remarks) < _MOST_REMARKS:
            self.remarks.append(printable(text, 2 * _LONGEST_SHOWN))

    # --- telling others ---------------------------------------------------------------------

    @property
    def checkpoint(self) -> Document | None:
        with self._lock:
            return self._checkpoint

    def last_checkpoint(self, *, is_wanted: bool) -> Document | None:
        """Return the checkpoint, once the job is over, if there is still to be told of it. A file
        that is not wanted, or that the collector has, is no more."""
        with self._lock:
            last = self._checkpoint
            if last is None:
                return None
            # While it is being uploaded it counts as told, and that may be in vain yet.
            is_there = last.path is not None and last.told and not last.in_use
            if is_wanted and not is_there:
                return last
            last.drop()
            return None

    @property
    def fraction(self) -> float | None:
        with self._lock:
            return self._news.progress.get("fraction")

    def has_last_news(self) -> bool:
        """Tell whether there are incumbents that nobody was told of, or others believe that it is
        not as far as it is."""
        with self._lock:
            return self._news.has_incumbents or self._news.is_told_otherwise

    def tells_at_s(self) -> float | None:
        with self._lock:
            checkpoint = self._checkpoint
            if self._news.waiting or (checkpoint is not None and not checkpoint.told):
                return self._told_s + _NEWS_EVERY_S
            return None

    def tell(self, room_bytes: int) -> dict[str, Any]:
        with self._lock:
            self._told_s = time.monotonic()
            told = self._news.tell()
            checkpoint = self._checkpoint
            if checkpoint is None or checkpoint.path is not None or checkpoint.told:
                return told
            if len(checkpoint.content) <= room_bytes:
                told["checkpoint"] = checkpoint.data
                checkpoint.told = True
            return told

    def take_back(self, told: Mapping[str, Any]) -> None:
        with self._lock:
            self._news.take_back(dict(told))
            if self._checkpoint is not None and "checkpoint" in told:
                self._checkpoint.told = False

    def file_to_upload(self) -> Path | None:
        with self._lock:
            checkpoint = self._checkpoint
            if checkpoint is None or checkpoint.path is None or checkpoint.told:
                return None
            if time.monotonic() < self._told_s + _NEWS_EVERY_S:
                return None
            checkpoint.in_use = checkpoint.told = True
            return checkpoint.path

    def uploaded(self, path: Path, *, done: bool) -> None:
        with self._lock:
            checkpoint = self._checkpoint
            if checkpoint is None or checkpoint.path != path or checkpoint.is_dropped:
                path.unlink(missing_ok=True)  # there is a newer one, or it is wanted no more
            else:
                checkpoint.in_use, checkpoint.told = False, done


def _check_levels(data: Any) -> None:
    """Raise ValueError for JSON that is nested too deeply."""
    level = [data]
    for _ in range(_MOST_LEVELS):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise ValueError(f"it is nested more than {_MOST_LEVELS} levels deep")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
