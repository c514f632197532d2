"""Brief units on a quick disk: the event loop commits them by itself, and all else is as ever."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from forge_collector.db import DatabaseError, SqliteEngine, Tx, database
from forge_collector.db.database import Database
from forge_collector.db.engine import Connection
from tests.integration.db.backends import TABLES
from tests.integration.db.batches import PATIENCE_S, Items, held_writer, queued
from tests.process import wait_for


class BrokenError(Exception):
    """What a test's unit raises."""


class GatedEngine(SqliteEngine):
    """Its housekeeping takes as long as a test wants."""

    begun = threading.Event()
    released = threading.Event()

    def tidy(self, writer: Connection) -> bool:
        self.begun.set()
        assert self.released.wait(PATIENCE_S)
        return super().tidy(writer)


def where(_tx: Tx) -> int:
    return threading.get_ident()


HERE = threading.get_ident()


@pytest.fixture
async def db(sqlite_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """Its disk counts as quick from the second commit on, however busy the machine is."""
    monkeypatch.setattr(database, "_QUICK_S", PATIENCE_S)
    monkeypatch.setattr(database, "_BRIEF_S", PATIENCE_S)
    monkeypatch.setattr(database, "_QUICK_IN_A_ROW", 1)
    db = Database(SqliteEngine(sqlite_path, schema=TABLES))
    await db.write(Items.insert(0))
    yield db
    await db.close()


async def test_a_brief_unit_is_committed_where_it_stands(db: Database) -> None:
    assert await db.write(where, brief=True) == HERE
    assert await db.write(where) != HERE
    assert await db.write(Items.insert(1), brief=True) == 1
    assert await db.read(Items.ids) == [0, 1]


async def test_only_a_disk_that_was_quick_for_long_is_waited_for(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_QUICK_IN_A_ROW", 3)
    assert [await db.write(where, brief=True) == HERE for _ in range(4)] == [False] * 2 + [True] * 2
    monkeypatch.setattr(database, "_QUICK_S", 0)
    assert await db.write(where, brief=True) == HERE  # what is slow is known afterwards
    assert await db.write(where, brief=True) != HERE


async def test_units_that_are_not_brief_after_all_are_left_to_the_thread(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BRIEF_S", 0.01)

    def lengthy(_tx: Tx) -> int:
        time.sleep(0.02)
        return threading.get_ident()

    assert await db.write(lengthy, brief=True) == HERE
    assert await db.write(lengthy, brief=True) != HERE


async def test_many_at_once_go_to_the_writer_together(db: Database) -> None:
    few, many = database._FEW, database._FEW + 1
    assert HERE not in await asyncio.gather(*(db.write(where, brief=True) for _ in range(many)))
    together = await asyncio.gather(*(db.write(where, brief=True) for _ in range(few)))
    assert together == [HERE] * few


async def test_nothing_overtakes_what_waits_for_the_writer(db: Database) -> None:
    async with held_writer(db):
        before = await queued(db, Items.insert(1), Items.ids)
        brief = db.queue(Items.ids, brief=True)
        await asyncio.sleep(0)
        assert not brief.done()
    assert await asyncio.gather(*before, brief) == [1, [0, 1], [0, 1]]


async def test_it_leaves_the_connection_to_housekeeping(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_QUICK_IN_A_ROW", 0)
    engine = GatedEngine(sqlite_path, schema=TABLES)
    db = Database(engine)
    tidying = asyncio.ensure_future(db.tidy())
    assert await asyncio.to_thread(engine.begun.wait, PATIENCE_S)
    written = asyncio.ensure_future(db.write(where, brief=True))
    await asyncio.sleep(0.01)
    assert not written.done()
    engine.released.set()
    await tidying
    assert await written != HERE
    await db.close()


async def test_another_process_that_holds_the_store_holds_up_nobody_else(
    db: Database, sqlite_path: Path
) -> None:
    shell = sqlite3.connect(sqlite_path, isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    waiting = [db.queue(where, brief=True)]
    await asyncio.sleep(0)  # it is handed over
    waiting.append(db.queue(where, brief=True))
    await asyncio.sleep(0)
    assert await db.read(Items.ids) == [0]
    assert time.monotonic() - began < 2  # below what a unit waits for such a lock
    shell.execute("ROLLBACK")
    shell.close()
    assert HERE not in await asyncio.gather(*waiting)
    assert await db.write(where, brief=True) == HERE


async def test_one_that_raises_is_rolled_back_alone(db: Database) -> None:
    def broken(tx: Tx) -> None:
        Items.insert(7)(tx)
        raise BrokenError

    results = await asyncio.gather(
        *(db.write(unit, brief=True) for unit in (Items.insert(1), broken)),
        return_exceptions=True,
    )
    assert results[0] == 1
    assert isinstance(results[1], BrokenError)
    with pytest.raises(BrokenError):
        await db.write(broken, brief=True)
    assert await db.write(Items.ids, brief=True) == [0, 1]


async def test_a_commit_that_fails_is_told_and_kept_from_nobody_else(db: Database) -> None:
    def orphan(tx: Tx) -> None:
        tx.execute("INSERT INTO parts (id, item) VALUES (1, 404)")  # found out at COMMIT

    results = await asyncio.gather(
        db.write(Items.insert(1), brief=True),
        db.write(orphan, brief=True),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [DatabaseError, DatabaseError]
    assert await db.write(Items.insert(2), brief=True) == 2
    assert await db.read(Items.ids) == [0, 2]
    assert db.waiting == 0


async def test_what_it_writes_is_folded_into_the_database(
    sqlite_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_QUICK_IN_A_ROW", 0)
    monkeypatch.setattr(database, "_CHECKPOINT_PERIOD_S", 0.05)
    db = Database(SqliteEngine(sqlite_path, schema=TABLES))
    for item in range(3):  # each time the writer's thread has gone to sleep
        assert await db.write(where, brief=True) == HERE
        await db.write(Items.insert(item), brief=True)
        await asyncio.to_thread(
            wait_for,
            lambda item=item: item in _without_log(sqlite_path, tmp_path / "copy.db"),
            "a checkpoint",
        )
    await db.close()


def _without_log(path: Path, copy: Path) -> list[int]:
    """Return what is in the database file alone."""
    copy.write_bytes(path.read_bytes())
    raw = sqlite3.connect(copy)
    try:
        return [row[0] for row in raw.execute("SELECT id FROM items")]
    except sqlite3.DatabaseError:
        return []
    finally:
        raw.close()
