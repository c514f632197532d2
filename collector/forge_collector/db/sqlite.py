"""SQLite as the engine: WAL, synchronous=FULL, one connection that writes and checkpoints.

Two connections that write or checkpoint at the same instant can corrupt a WAL in SQLite 3.7.0 to
3.51.2 (https://sqlite.org/wal.html#walresetbug), so readers are opened ``mode=ro`` and the writer
alone checkpoints, when the Database tells it to.
"""

from __future__ import annotations

import errno
import sqlite3
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from forge_collector.db import migrations, sqlite_copy
from forge_collector.db.engine import Connection, Footprint, Rows, Value
from forge_collector.db.errors import ConflictError, DatabaseError, StorageFullError, TooSlowError

if TYPE_CHECKING:
    import sqlite_utils

MIGRATION_SET: Final = "forge_fleet"
_LOG_BYTES_KEPT: Final = 64 * 1024 * 1024  # a WAL that a burst blew up shrinks back to this
_FREED_PAGES_AT_ONCE: Final = 1000
# Sealing frees what the next five minutes are written to: giving that back would move the pages
# behind it twice. What stayed free for longer is spare.
_SPARE_AFTER_S: Final = 360.0
_READ_TIME_S: Final = 10.0
_ROWS_ANALYSED: Final = 400  # of each index: PRAGMA optimize must not hold the writer up for long
_BUSY_WAIT_MS: Final = 5000  # for another process's lock, such as a sqlite3 shell's
_RESTART_WAIT_MS: Final = 200  # for readers, while writes wait
_PROGRESS_STEPS: Final = 10_000  # virtual machine steps between two looks at the clock, about 1 ms
# A disk quota or a limit on the size of files says WRITE; the index of the log says SHMSIZE.
_NO_ROOM: Final = frozenset({"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"})
_NO_ROOM_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_PARAMS: Final[Mapping[str, Value]] = {}


class SqliteRows(sqlite3.Cursor):
    """Rows whose fetching fails in the Database's own words: a long query is interrupted there."""

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except sqlite3.Error as error:
            raise _translated(error) from error

    def fetchall(self) -> list[Any]:
        try:
            return super().fetchall()
        except sqlite3.Error as error:
            raise _translated(error) from error

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.Error as error:
            raise _translated(error) from error


class SqliteConnection:
    """A Connection over sqlite3, with errors in the Database's own words."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw

    @property
    def in_transaction(self) -> bool:
        return self.raw.in_transaction

    def execute(self, sql: str, params: Mapping[str, Value] = _NO_PARAMS) -> Rows:
        try:
            return self.raw.cursor(SqliteRows).execute(sql, params)
        except sqlite3.Error as error:
            raise _translated(error) from error

    def executemany(self, sql: str, params: Iterable[Mapping[str, Value]]) -> Rows:
        try:
            return self.raw.cursor(SqliteRows).executemany(sql, params)
        except sqlite3.Error as error:
            raise _translated(error) from error

    def begin_write(self) -> None:
        self.execute("BEGIN IMMEDIATE")

    def begin_read(self) -> None:
        self.execute("BEGIN")

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        if self.raw.in_transaction:
            self.execute("ROLLBACK")

    def savepoint(self) -> None:
        self.execute("SAVEPOINT unit")

    def release_savepoint(self) -> None:
        self.execute("RELEASE unit")

    def rollback_to_savepoint(self) -> None:
        self.execute("ROLLBACK TO unit")
        self.execute("RELEASE unit")

    def close(self) -> None:
        self.raw.close()


class SqliteReader(SqliteConnection):
    """A read-only connection that interrupts a query which runs too long.

    A reader that stays open pins the WAL: it cannot be reset, and grows.
    """

    def __init__(self, raw: sqlite3.Connection, read_time_s: float) -> None:
        super().__init__(raw)
        self._read_time_s = read_time_s
        self._deadline = 0.0
        raw.set_progress_handler(self._is_overdue, _PROGRESS_STEPS)

    def begin_read(self) -> None:
        self._deadline = time.monotonic() + self._read_time_s
        super().begin_read()

    def _is_overdue(self) -> bool:
        return time.monotonic() > self._deadline


class SqliteEngine:
    """One database file, and the ``-wal`` and ``-shm`` files beside it."""

    def __init__(
        self,
        path: Path,
        *,
        schema: Iterable[migrations.Migration] = migrations.ALL,
        read_time_s: float = _READ_TIME_S,
        log_bytes_kept: int = _LOG_BYTES_KEPT,
        spare_after_s: float = _SPARE_AFTER_S,
    ) -> None:
        self._path = path
        self._log_path = Path(f"{path}-wal")
        self._schema = tuple(schema)
        self._read_time_s = read_time_s
        self._log_bytes_kept = log_bytes_kept
        self._spare_after_s = spare_after_s
        self._free_pages: deque[tuple[float, int]] = deque()

    def open_writer(self) -> Connection:
        # Created 0600 first: sqlite3 would create it with whatever the umask leaves.
        self._path.touch(mode=0o600)
        with errors_translated():
            raw = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            try:
                self._set_up(raw)
            except BaseException:
                raw.close()
                raise
        return SqliteConnection(raw)

    def open_reader(self) -> Connection:
        with errors_translated():
            raw = sqlite3.connect(
                f"file:{quote(str(self._path))}?mode=ro",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
        return SqliteReader(raw, self._read_time_s)

    def checkpoint(self, writer: Connection) -> None:
        if _size(self._log_path) <= self._log_bytes_kept:
            writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            return
        # Readers that overlap without a gap let a passive checkpoint fold in only a part, and the
        # log never starts anew. This one waits for those there now, and newcomers read beside it.
        writer.execute(f"PRAGMA busy_timeout = {_RESTART_WAIT_MS}").fetchall()
        try:
            writer.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        finally:
            writer.execute(f"PRAGMA busy_timeout = {_BUSY_WAIT_MS}").fetchall()

    def tidy(self, writer: Connection) -> bool:
        writer.execute("PRAGMA optimize").fetchall()
        spare = self._spare_pages(writer)
        writer.begin_write()
        try:
            # sqlite3 takes one step of this pragma, whatever number it is given: one page.
            for _ in range(min(spare, _FREED_PAGES_AT_ONCE)):
                writer.execute("PRAGMA incremental_vacuum(1)")
            writer.commit()
        except DatabaseError:
            writer.rollback()
            raise
        return spare > _FREED_PAGES_AT_ONCE

    def _spare_pages(self, writer: Connection) -> int:
        """Return how many free pages nobody needed for a while."""
        now = time.monotonic()
        (free,) = writer.execute("PRAGMA freelist_count").fetchone()
        self._free_pages.append((now, free))
        while len(self._free_pages) > 1 and self._free_pages[1][0] <= now - self._spare_after_s:
            self._free_pages.popleft()
        if self._free_pages[0][0] > now - self._spare_after_s:
            return 0
        return min(pages for _, pages in self._free_pages)

    def copy(self, writer: Connection, target: Path, between: Callable[[], None]) -> None:
        if not isinstance(writer, SqliteConnection):
            raise TypeError("this is no connection of this engine")
        with errors_translated():
            sqlite_copy.copy(writer.raw, target, between)

    def footprint(self) -> Footprint:
        return Footprint(_size(self._path), _size(self._log_path))

    def _set_up(self, raw: sqlite3.Connection) -> None:
        raw.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heeded before the first table only
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA synchronous = FULL")
        raw.execute("PRAGMA wal_autocheckpoint = 0")
        raw.execute(f"PRAGMA journal_size_limit = {self._log_bytes_kept}")
        # What a savepoint may have to undo: beyond 64 KiB it would go to a temporary file.
        raw.execute("PRAGMA temp_store = MEMORY")
        raw.execute("PRAGMA foreign_keys = ON")
        raw.execute(f"PRAGMA busy_timeout = {_BUSY_WAIT_MS}")
        raw.execute(f"PRAGMA analysis_limit = {_ROWS_ANALYSED}")
        _migrate(raw, self._schema)


def _migrate(raw: sqlite3.Connection, schema: Iterable[migrations.Migration]) -> None:
    """Apply what is pending; each migration commits together with its record."""
    utils = _sqlite_utils()
    pending: sqlite_utils.Migrations = utils.Migrations(MIGRATION_SET)
    for migration in schema:
        pending(name=migration.name)(_as_function(migration))
    pending.apply(utils.Database(raw))


def _sqlite_utils() -> ModuleType:
    """Import sqlite_utils, but not pandas, which it takes along where there is one: that would be
    a third of the time that a collector needs to start, for nothing that is used here."""
    is_placeholder = "pandas" not in sys.modules
    if is_placeholder:
        sys.modules["pandas"] = None  # type: ignore[assignment]
    try:
        import sqlite_utils as utils  # noqa: PLC0415
    finally:
        if is_placeholder:
            del sys.modules["pandas"]
    return utils


def _as_function(migration: migrations.Migration) -> Callable[[sqlite_utils.Database], None]:
    def apply(db: sqlite_utils.Database) -> None:
        for statement in migration.statements:
            db.execute(statement)

    return apply


@contextmanager
def errors_translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(error) from error
    except OSError as error:
        if error.errno in _NO_ROOM_ERRNOS:
            raise StorageFullError(str(error)) from error
        raise DatabaseError(str(error)) from error


def _translated(error: sqlite3.Error) -> DatabaseError:
    name = getattr(error, "sqlite_errorname", "") or ""
    if isinstance(error, sqlite3.IntegrityError):
        return ConflictError(str(error))
    if name in _NO_ROOM:
        return StorageFullError(str(error))
    if name == "SQLITE_INTERRUPT":
        return TooSlowError(str(error))
    return DatabaseError(f"{error} ({name})" if name else str(error))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
