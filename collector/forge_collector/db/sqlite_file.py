"""A SQLite database as a file that nobody writes to: reading, copying and doubting it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from forge_collector.db import migrations, sqlite_copy
from forge_collector.db.engine import Tx
from forge_collector.db.errors import DatabaseError, TooSlowError
from forge_collector.db.sqlite import MIGRATION_SET, SqliteConnection, errors_translated

_MOST_FAULTS: Final = 20


@contextmanager
def opened(path: Path, *, has_log: bool) -> Iterator[SqliteConnection]:
    """Open a database to read; raises DatabaseError.

    ``has_log``: heed the log beside it, as a collector that was killed leaves one; otherwise the
    file is all there is, and nothing is made beside it.
    """
    mode = "mode=ro" if has_log else "mode=ro&immutable=1"
    with errors_translated():
        raw = sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, isolation_level=None)
    with closing(SqliteConnection(raw)) as connection:
        yield connection


def copy(source: Path, target: Path) -> None:
    """Copy a database and what its log holds to a new file; raises DatabaseError."""
    with opened(source, has_log=True) as connection, errors_translated():
        # In steps, so that Ctrl-C is heard between two.
        sqlite_copy.copy(connection.raw, target, lambda: None)


def fold_log_in(path: Path) -> None:
    """Leave a database without a log beside it; raises DatabaseError."""
    with errors_translated(), closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def faults(tx: Tx) -> list[str]:
    """Return what is wrong with the pages, the indexes and the references; nothing if all is well.

    It reads everything, at one stretch.
    """
    return _integrity(tx, f"{_MOST_FAULTS}") + _broken_references(tx)


def tables(tx: Tx) -> list[str]:
    """Return the names of all tables."""
    rows = tx.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [name for (name,) in rows.fetchall()]


def faults_of_table(tx: Tx, table: str) -> list[str]:
    """Return what is wrong with the pages, the indexes and the references of one table."""
    name = "'" + table.replace("'", "''") + "'"
    return _integrity(tx, name) + _broken_references(tx, f"({name})")


def unknown_migrations(tx: Tx) -> list[str] | None:
    """Return the migrations that a later release made; None when it is no store of ours."""
    if "_sqlite_migrations" not in tables(tx):
        return None
    rows = tx.execute(
        "SELECT name FROM _sqlite_migrations WHERE migration_set = :ours ORDER BY name",
        {"ours": MIGRATION_SET},
    )
    applied = [name for (name,) in rows.fetchall()]
    known = {migration.name for migration in migrations.ALL}
    return [name for name in applied if name not in known] if applied else None


def _integrity(tx: Tx, argument: str) -> list[str]:
    try:
        rows = tx.execute(f"PRAGMA integrity_check({argument})").fetchall()
    except TooSlowError:
        raise
    except DatabaseError as error:
        return [str(error)]
    # One entry may hold several lines.
    return [line for (text,) in rows for line in text.splitlines() if text != "ok"]


def _broken_references(tx: Tx, argument: str = "") -> list[str]:
    try:
        rows = tx.execute(f"PRAGMA foreign_key_check{argument}").fetchall()[:_MOST_FAULTS]
    except TooSlowError:
        raise
    except DatabaseError as error:
        return [str(error)]
    return [f"row {row} of {table} refers to nothing in {parent}" for table, row, parent, _ in rows]
