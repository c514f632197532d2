"""Copying a SQLite database to a file, page by page, while its writer goes on.

A copy that another connection takes in steps begins anew at each commit, and in one step it pins
the log for as long as it takes. Pages that the copying connection itself changes go into the copy
as they are committed (https://sqlite.org/c3ref/backup_finish.html), so the writer copies: a few
pages, then a batch of units, and again. Between two steps it holds no lock and no snapshot.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from forge_collector.db.errors import DatabaseError

_PAGES_AT_ONCE: Final = 256  # 1 MiB: a millisecond or two of the writer's time
_BUSY_WAIT_S: Final = 0.001
_MOST_BEGINNINGS: Final = 10


def copy(source: sqlite3.Connection, target: Path, between: Callable[[], None]) -> None:
    """Copy to a file, made anew. ``between`` is called after each step but the last; what it
    raises ends the copy. The file is not synced: that is for whoever keeps it."""
    target.unlink(missing_ok=True)
    target.touch(mode=0o600, exist_ok=False)
    copied = sqlite3.connect(target, isolation_level=None, check_same_thread=False)
    try:
        # Nobody reads a copy that was broken off.
        copied.execute("PRAGMA journal_mode = OFF").fetchall()
        copied.execute("PRAGMA synchronous = OFF")
        source.backup(
            copied,
            pages=_PAGES_AT_ONCE,
            progress=_Progress(between).note,
            sleep=_BUSY_WAIT_S,
        )
    finally:
        copied.close()


class _Progress:
    """Bounds how often a copy begins anew: it does when a transaction rolls back as a whole, as on
    a full disk, or when somebody else writes to the database."""

    def __init__(self, between: Callable[[], None]) -> None:
        self._between = between
        self._reached = 0
        self._beginnings = 1

    def note(self, _status: int, remaining: int, total: int) -> None:
        reached = total - remaining
        if reached < self._reached:
            self._beginnings += 1
            if self._beginnings > _MOST_BEGINNINGS:
                raise DatabaseError(
                    f"the copy began anew {_MOST_BEGINNINGS} times: something else than the "
                    "collector writes to the database, or its disk is full"
                )
        self._reached = reached
        if remaining:
            self._between()
