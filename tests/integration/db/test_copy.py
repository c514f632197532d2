"""A copy of the store while units go on: whole, of one moment, and nobody waits for it for long."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from forge_collector.db import (
    Database,
    DatabaseError,
    SqliteEngine,
    StorageFullError,
    Tx,
    sqlite_copy,
)
from forge_collector.db import database as database_module
from tests import small_disk
from tests.integration.db.backends import TABLES
from tests.integration.db.batches import PATIENCE_S, Items, held_writer

KEPT_LOG = 256 * 1024
ITEMS = 400
BODY_BYTES = 40_000  # in all: many steps


@pytest.fixture
async def db(sqlite_path: Path) -> AsyncIterator[Database]:
    engine = SqliteEngine(sqlite_path, schema=TABLES, log_bytes_kept=KEPT_LOG)
    writer = engine.open_writer()
    writer.executemany(
        "INSERT INTO items (id, label, body) VALUES (:id, '0', :body)",
        [{"id": item, "body": os.urandom(BODY_BYTES)} for item in range(ITEMS)],
    )
    writer.close()  # and with it its log
    database = Database(engine)
    yield database
    await database.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copy.db"


def mark(number: int) -> Callable[[Tx], int]:
    """Return a unit that writes a number at both ends of the file, and puts a new item there."""

    def unit(tx: Tx) -> int:
        tx.execute(
            "UPDATE items SET label = :label, body = :body WHERE id IN (0, :last)",
            {"label": str(number), "body": os.urandom(BODY_BYTES), "last": ITEMS - 1},
        )
        tx.execute("INSERT INTO items (id, label) VALUES (:id, 'new')", {"id": 1_000_000 + number})
        return number

    return unit


@asynccontextmanager
async def writing(db: Database) -> AsyncIterator[list[int]]:
    """Keep writing; what is durable so far is in the list."""
    durable = [await db.write(mark(0))]

    async def write() -> None:
        while True:
            durable.append(await db.write(mark(len(durable))))

    task = asyncio.ensure_future(write())
    try:
        yield durable
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def marks(path: Path) -> tuple[set[str], list[int]]:
    """Return the marks at both ends, and every number that was written, of a sound copy."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        ends = raw.execute("SELECT label FROM items WHERE id IN (0, ?)", (ITEMS - 1,))
        new = raw.execute("SELECT id - 1000000 FROM items WHERE id >= 1000000 ORDER BY id")
        return {label for (label,) in ends}, [number for (number,) in new]


async def test_a_copy_amid_writes_is_of_one_moment_and_holds_what_was_durable_before(
    db: Database, target: Path
) -> None:
    async with writing(db) as durable:
        before = len(durable)
        await db.copy(target, threading.Event())
        after = len(durable) + 1

    ends, numbers = marks(target)
    assert len(ends) == 1
    assert numbers == list(range(len(numbers)))
    assert ends == {str(len(numbers) - 1)}
    assert before <= len(numbers) <= after
    assert after - before > 5  # units went on


async def test_a_copy_amid_writes_and_checkpoints_leaves_the_log_small(
    db: Database, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_CHECKPOINT_PERIOD_S", 0.02)
    largest = 0
    async with writing(db):
        for _ in range(5):
            copying = asyncio.ensure_future(db.copy(target, threading.Event()))
            while not copying.done():
                largest = max(largest, db.footprint().log_bytes)
                await asyncio.sleep(0.001)
            await copying
            assert len(marks(target)[0]) == 1
    assert largest < 8_000_000  # half of the database; pinned, it would have grown all the time


@pytest.fixture
def in_the_way(target: Path) -> Path:
    target.write_text("in the way")
    target.chmod(0o644)
    return target


async def test_the_copy_is_its_owners_alone(db: Database, in_the_way: Path) -> None:
    await db.copy(in_the_way, threading.Event())
    made = {path.name: stat.S_IMODE(path.stat().st_mode) for path in in_the_way.parent.iterdir()}
    assert made["copy.db"] == 0o600
    assert made.keys() == {"copy.db", "fleet.db", "fleet.db-wal", "fleet.db-shm"}


async def test_a_unit_that_fails_meanwhile_leaves_no_trace_in_the_copy(
    db: Database, target: Path
) -> None:
    def fail(tx: Tx) -> None:
        mark(-1)(tx)
        raise LookupError

    async with held_writer(db):
        copying = asyncio.ensure_future(db.copy(target, threading.Event()))
        await asyncio.sleep(0)
        failing = [asyncio.ensure_future(db.write(fail)) for _ in range(20)]
        await asyncio.sleep(0)
    await asyncio.gather(*failing, return_exceptions=True)
    await copying

    assert all(isinstance(failed.exception(), LookupError) for failed in failing)
    assert marks(target) == ({"0"}, [])


@pytest.fixture
def many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page at a time, so that much happens between the first and the last."""
    monkeypatch.setattr(sqlite_copy, "_PAGES_AT_ONCE", 1)


@pytest.mark.usefixtures("many_steps")
async def test_a_transaction_that_is_lost_meanwhile_leaves_no_trace_in_the_copy(
    db: Database, target: Path
) -> None:
    def lose(tx: Tx) -> None:
        mark(-1)(tx)
        tx.execute("INSERT INTO parts (id, item) VALUES (1, -5)")  # its item is missed at COMMIT

    async def keep_losing() -> int:
        lost = 0
        while not copying.done() and lost < 4:
            with pytest.raises(DatabaseError):
                await db.write(lose)
            lost += 1
        return lost

    copying = asyncio.ensure_future(db.copy(target, threading.Event()))
    assert await keep_losing() > 1
    await copying

    assert marks(target) == ({"0"}, [])


@pytest.mark.usefixtures("many_steps")
async def test_one_that_always_begins_anew_is_given_up(db: Database, target: Path) -> None:
    def lose(tx: Tx) -> None:
        tx.execute("INSERT INTO parts (id, item) VALUES (1, -5)")

    copying = asyncio.ensure_future(db.copy(target, threading.Event()))
    while not copying.done():
        await asyncio.gather(
            *(asyncio.ensure_future(db.write(lose)) for _ in range(3)), return_exceptions=True
        )
    with pytest.raises(DatabaseError, match="began anew"):
        await copying
    assert await db.write(Items.insert(5_000_000)) == 5_000_000


async def test_it_can_be_broken_off(db: Database, target: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(DatabaseError, match="broken off"):
        await db.copy(target, stop)
    assert await db.write(mark(7)) == 7


async def test_closing_breaks_it_off_and_keeps_what_waits(
    sqlite_path: Path, target: Path, db: Database
) -> None:
    async with held_writer(db):
        copying = asyncio.ensure_future(db.copy(target, threading.Event()))
        await asyncio.sleep(0)
        writing = [asyncio.ensure_future(db.write(mark(number))) for number in range(5)]
        await asyncio.sleep(0)
        closing_ = asyncio.ensure_future(db.close())
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_S):
        assert await asyncio.gather(*writing) == [0, 1, 2, 3, 4]
        with pytest.raises(DatabaseError, match="broken off"):
            await copying
        await closing_
    assert [path.name for path in sqlite_path.parent.glob("fleet.db*")] == ["fleet.db"]
    assert marks(sqlite_path) == ({"4"}, [0, 1, 2, 3, 4])


async def test_housekeeping_waits_until_it_is_done(db: Database, target: Path) -> None:
    async with held_writer(db):
        copying = asyncio.ensure_future(db.copy(target, threading.Event()))
        await asyncio.sleep(0)
        tidying = asyncio.ensure_future(db.tidy())
        second = asyncio.ensure_future(db.copy(target.with_name("second.db"), threading.Event()))
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(copying, tidying, second)
    assert marks(target) == marks(target.with_name("second.db")) == ({"0"}, [])


@pytest.mark.parametrize("kind", small_disk.KINDS)
async def test_a_full_disk_ends_the_copy_and_nothing_else(
    db: Database, tmp_path: Path, kind: str
) -> None:
    with small_disk.KINDS[kind](tmp_path / "disk") as disk:
        (disk.path / "some file").write_bytes(bytes(1000))
        disk.fill(os.getpid(), leave_kib=4000)
        with pytest.raises(StorageFullError):
            await db.copy(disk.path / "copy.db", threading.Event())
    assert await db.write(mark(1)) == 1


async def test_a_place_that_is_none_ends_the_copy_and_nothing_else(
    db: Database, tmp_path: Path
) -> None:
    with pytest.raises(DatabaseError, match="nowhere"):
        await db.copy(tmp_path / "nowhere" / "copy.db", threading.Event())
    assert await db.write(mark(1)) == 1
