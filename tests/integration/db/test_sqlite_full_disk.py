"""SQLite without room: a batch is lost as a whole, nobody is told otherwise, and it goes on after.

SQLITE_FULL inside a savepoint may roll the whole transaction back; what would come after it in the
batch would then commit statement by statement, unless the Database noticed.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from forge_collector.db import Database, SqliteEngine, StorageFullError, Tx
from tests import small_disk
from tests.integration.db.backends import TABLES
from tests.integration.db.batches import Items, Unit, in_one_batch

ROOMY = 1_000_000


@pytest.fixture
async def db(sqlite_path: Path) -> AsyncIterator[Database]:
    database = Database(SqliteEngine(sqlite_path, schema=TABLES))
    await database.write(Items.insert(0))
    yield database
    await database.close()


def allow_pages(pages: int) -> Unit:
    return lambda tx: tx.execute(f"PRAGMA max_page_count = {pages}").fetchall()


def no_more_pages(tx: Tx) -> None:
    (pages,) = tx.execute("PRAGMA page_count").fetchone()
    tx.execute(f"PRAGMA max_page_count = {pages}").fetchall()


def insert_large(item: int, size: int = 200_000) -> Unit:
    def unit(tx: Tx) -> int:
        tx.execute(
            "INSERT INTO items (id, body) VALUES (:id, :body)", {"id": item, "body": bytes(size)}
        )
        return item

    return unit


async def test_a_full_database_fails_every_unit_of_the_batch(db: Database) -> None:
    await db.write(no_more_pages)

    results = await in_one_batch(
        db, Items.insert(1), insert_large(2), Items.insert(3), Items.insert(4)
    )

    assert [type(result) for result in results] == [StorageFullError] * 4
    assert await db.read(Items.ids) == [0]


async def test_after_room_was_made_it_works_again(db: Database) -> None:
    await db.write(no_more_pages)
    with pytest.raises(StorageFullError):
        await db.write(insert_large(1))

    await db.write(allow_pages(ROOMY))

    assert await in_one_batch(db, insert_large(1), Items.insert(2)) == [1, 2]
    assert await db.read(Items.ids) == [0, 1, 2]


async def test_a_small_unit_still_fits_where_a_large_one_did_not(db: Database) -> None:
    await db.write(no_more_pages)
    with pytest.raises(StorageFullError):
        await db.write(insert_large(1))

    assert await db.write(Items.insert(2)) == 2
    assert await db.read(Items.ids) == [0, 2]


async def test_a_unit_that_swallows_the_failure_is_not_acknowledged(db: Database) -> None:
    await db.write(no_more_pages)

    def optimist(tx: Tx) -> str:
        try:
            insert_large(2)(tx)
        except StorageFullError:
            return "never mind"
        return "fits"

    results = await in_one_batch(db, Items.insert(1), optimist, Items.insert(3))

    assert all(isinstance(result, Exception) for result in results)
    assert await db.read(Items.ids) == [0]


@pytest.mark.parametrize("kind", small_disk.KINDS)
async def test_a_commit_that_finds_no_room_fails_every_unit(kind: str, tmp_path: Path) -> None:
    """The units' statements succeed in memory; only COMMIT writes, and finds the disk full."""
    with small_disk.KINDS[kind](tmp_path / "disk") as disk:
        db = Database(SqliteEngine(disk.path / "fleet.db", schema=TABLES))
        await db.write(Items.insert(0))
        disk.fill(os.getpid(), leave_kib=24)

        results = await in_one_batch(db, Items.insert(1), insert_large(2), Items.insert(3))
        assert [type(result) for result in results] == [StorageFullError] * 3
        assert await db.read(Items.ids) == [0]

        disk.make_room()
        assert await in_one_batch(db, insert_large(2), Items.insert(3)) == [2, 3]
        assert await db.read(Items.ids) == [0, 2, 3]
        await db.close()
