"""What is SQLite's own: the settings that durability rests on, and who may touch the file."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from forge_collector.db import Database, DatabaseError, SqliteEngine, Tx
from tests.integration.db.backends import TABLES
from tests.integration.db.batches import Items


def pragma(name: str) -> Any:
    def unit(tx: Tx) -> Any:
        return tx.execute(f"PRAGMA {name}").fetchone()[0]

    return unit


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),  # FULL: COMMIT returns after fsync
        ("wal_autocheckpoint", 0),  # the Database says when
        ("auto_vacuum", 2),  # INCREMENTAL
        ("foreign_keys", 1),
        ("analysis_limit", 400),
        ("journal_size_limit", 64 * 1024 * 1024),
    ],
)
async def test_the_writers_settings_are_in_force(
    sqlite_path: Path, name: str, value: str | int
) -> None:
    db = Database(SqliteEngine(sqlite_path))
    assert await db.write(pragma(name)) == value
    await db.close()


async def test_the_files_are_their_owners_alone(sqlite_path: Path) -> None:
    db = Database(SqliteEngine(sqlite_path, schema=TABLES))
    await db.write(Items.insert(1))
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in sqlite_path.parent.glob("fleet.db*")
    }
    await db.close()

    assert modes == {"fleet.db": 0o600, "fleet.db-wal": 0o600, "fleet.db-shm": 0o600}


def test_a_reader_can_neither_write_nor_checkpoint(sqlite_path: Path) -> None:
    engine = SqliteEngine(sqlite_path, schema=TABLES)
    writer, reader = engine.open_writer(), engine.open_reader()
    Items.insert(1)(writer)
    logged = engine.footprint().log_bytes
    before = sqlite_path.read_bytes()

    for statement in (
        "INSERT INTO items (id) VALUES (2)",
        "DELETE FROM items",
        "CREATE TABLE mine (id BIGINT)",
        "PRAGMA user_version = 7",
        "PRAGMA journal_mode = DELETE",
        "VACUUM",
    ):
        with pytest.raises(DatabaseError):
            reader.execute(statement).fetchall()
    for mode in ("PASSIVE", "FULL", "RESTART", "TRUNCATE"):
        try:
            reader.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        except DatabaseError:
            continue

    assert Items.ids(reader) == [1]
    assert sqlite_path.read_bytes() == before
    assert engine.footprint().log_bytes == logged
    reader.close()
    writer.close()


async def test_closing_folds_the_log_in(sqlite_path: Path) -> None:
    db = Database(SqliteEngine(sqlite_path, schema=TABLES))
    for item in range(20):
        await db.write(Items.insert(item))
    await db.read(Items.ids)
    await db.close()

    assert [path.name for path in sqlite_path.parent.iterdir()] == ["fleet.db"]
    with sqlite3.connect(sqlite_path) as raw:
        assert raw.execute("SELECT COUNT(*) FROM items").fetchone() == (20,)
    raw.close()


def test_a_file_that_is_no_database_is_said_to_be_none(sqlite_path: Path) -> None:
    sqlite_path.write_bytes(b"these are not the bytes of a database" * 100)
    with pytest.raises(DatabaseError, match="not a database"):
        SqliteEngine(sqlite_path).open_writer()


async def test_a_database_locked_by_somebody_else_fails_the_unit_alone(sqlite_path: Path) -> None:
    db = Database(SqliteEngine(sqlite_path, schema=TABLES))
    await db.write(pragma("busy_timeout = 50"))
    intruder = sqlite3.connect(sqlite_path, isolation_level=None)
    intruder.execute("BEGIN IMMEDIATE")

    with pytest.raises(DatabaseError, match="locked"):
        await db.write(Items.insert(1))
    intruder.execute("ROLLBACK")
    intruder.close()

    assert await db.write(Items.insert(2)) == 2
    assert await db.read(Items.ids) == [2]
    await db.close()
