"""What every engine must do: writing, reading, refusing, closing."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from forge_collector.db import ConflictError, Database, DatabaseError, OverloadedError, Tx
from tests.integration.db.backends import Backend
from tests.integration.db.batches import PATIENCE_S, Items, held_writer, queued

COUNT_FOREVER = """
    WITH RECURSIVE counted (n) AS (
        SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM counted
    )
"""


async def test_write_returns_what_its_unit_returns_once_others_can_read_it(db: Database) -> None:
    assert await db.write(Items.insert(7)) == 7
    assert await db.read(Items.ids) == [7]


async def test_every_value_comes_back_as_it_went_in(db: Database) -> None:
    def unit(tx: Tx) -> None:
        tx.execute(
            "INSERT INTO items (id, label, body) VALUES (:id, :label, :body)",
            {"id": 2**63 - 1, "label": "Ünïcode ☃ 'quoted'", "body": bytes(range(256))},
        )
        tx.execute("INSERT INTO items (id, label) VALUES (:id, :label)", {"id": -1, "label": None})

    await db.write(unit)
    rows = await db.read(
        lambda tx: tx.execute("SELECT id, label, body FROM items ORDER BY id").fetchall()
    )

    assert [tuple(row) for row in rows] == [
        (-1, None, None),
        (2**63 - 1, "Ünïcode ☃ 'quoted'", bytes(range(256))),
    ]


async def test_rowcount_tells_how_many_rows_a_statement_changed(db: Database) -> None:
    def unit(tx: Tx) -> tuple[int, int, int]:
        inserted = tx.executemany(
            "INSERT INTO items (id) VALUES (:id)", [{"id": item} for item in range(5)]
        )
        changed = tx.execute("UPDATE items SET label = 'x' WHERE id < :id", {"id": 3})
        missed = tx.execute("DELETE FROM items WHERE id = :id", {"id": 404})
        return inserted.rowcount, changed.rowcount, missed.rowcount

    assert await db.write(unit) == (5, 3, 0)


async def test_a_statement_that_makes_no_sense_is_a_database_error(db: Database) -> None:
    with pytest.raises(DatabaseError):
        await db.write(lambda tx: tx.execute("SELECT nonsense FROM nowhere"))
    with pytest.raises(DatabaseError):
        await db.read(lambda tx: tx.execute("SELECT nonsense FROM nowhere"))
    assert await db.read(Items.ids) == []


async def test_a_broken_constraint_is_a_conflict(db: Database) -> None:
    await db.write(Items.insert(1))
    with pytest.raises(ConflictError):
        await db.write(Items.insert(1))
    with pytest.raises(ConflictError):
        await db.write(lambda tx: tx.execute("INSERT INTO items (id) VALUES (NULL)"))


async def test_readers_do_not_see_what_is_not_committed(db: Database) -> None:
    written, released = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        Items.insert(1)(tx)
        written.set()
        assert released.wait(PATIENCE_S)

    writing = asyncio.ensure_future(db.write(slow))
    assert await asyncio.to_thread(written.wait, PATIENCE_S)
    during = await db.read(Items.ids)
    released.set()
    await writing

    assert during == []
    assert await db.read(Items.ids) == [1]


async def test_one_read_sees_one_state_of_the_store(db: Database) -> None:
    await db.write(Items.insert(1))
    looked, released = threading.Event(), threading.Event()

    def query(tx: Tx) -> tuple[list[int], list[int]]:
        before = Items.ids(tx)
        looked.set()
        assert released.wait(PATIENCE_S)
        return before, Items.ids(tx)

    reading = asyncio.ensure_future(db.read(query))
    assert await asyncio.to_thread(looked.wait, PATIENCE_S)
    await db.write(Items.insert(2))  # a reader holds no writer up
    released.set()

    assert await reading == ([1], [1])
    assert await db.read(Items.ids) == [1, 2]


async def test_readers_cannot_write(db: Database) -> None:
    with pytest.raises(DatabaseError):
        await db.read(Items.insert(1))
    assert await db.read(Items.ids) == []


async def test_what_a_query_raises_reaches_its_caller_and_frees_the_reader(db: Database) -> None:
    def failing(tx: Tx) -> None:
        Items.ids(tx)
        raise LookupError("mine")

    for _ in range(5):  # more than there are readers
        with pytest.raises(LookupError, match="mine"):
            await db.read(failing)
    assert await db.read(Items.ids) == []


@pytest.mark.parametrize(
    "statement",
    [
        COUNT_FOREVER + "SELECT COUNT(*) FROM counted",
        # This one yields rows at once, so it is the fetching that takes forever.
        COUNT_FOREVER + "SELECT n FROM counted WHERE n % 1000000 = 1",
    ],
)
async def test_a_query_that_runs_too_long_is_interrupted(backend: Backend, statement: str) -> None:
    db = Database(backend.engine(read_time_s=0.1))
    started = time.monotonic()

    with pytest.raises(DatabaseError):
        await db.read(lambda tx: tx.execute(statement).fetchall())

    assert time.monotonic() - started < 5
    assert await db.read(Items.ids) == []
    await db.close()


async def test_beyond_max_waiting_a_unit_is_refused_unrun(backend: Backend) -> None:
    db = Database(backend.engine(), max_waiting=3)
    async with held_writer(db):
        futures = await queued(db, Items.insert(1), Items.insert(2))
        with pytest.raises(OverloadedError):
            await db.write(Items.insert(3))

    assert await asyncio.gather(*futures) == [1, 2]
    assert await db.write(Items.insert(4)) == 4
    assert await db.read(Items.ids) == [1, 2, 4]
    await db.close()


async def test_close_commits_what_waits(backend: Backend) -> None:
    db = Database(backend.engine())
    async with held_writer(db):
        futures = await queued(db, *(Items.insert(item) for item in range(10)))
        closing = asyncio.ensure_future(db.close())
        await asyncio.sleep(0)
        with pytest.raises(DatabaseError):
            await db.write(Items.insert(404))
    await closing

    assert await asyncio.gather(*futures) == list(range(10))
    again = Database(backend.engine())
    assert await again.read(Items.ids) == list(range(10))
    await again.close()


async def test_a_closed_database_refuses_instead_of_hanging(backend: Backend) -> None:
    db = Database(backend.engine())
    await db.close()
    await db.close()

    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(DatabaseError):
            await db.write(Items.ids)
        with pytest.raises(DatabaseError):
            await db.read(Items.ids)
        with pytest.raises(DatabaseError):
            await db.tidy()


async def test_tidying_and_the_footprint_are_there(db: Database) -> None:
    await db.write(Items.insert(1))
    await db.tidy()
    assert db.footprint().database_bytes > 0
    assert await db.read(Items.ids) == [1]


async def test_many_writers_and_readers_at_once(db: Database) -> None:
    def add_one(tx: Tx) -> int:
        row = tx.execute("UPDATE items SET label = label || 'x' WHERE id = 0 RETURNING label")
        return len(row.fetchone()[0])

    def look(tx: Tx) -> int:
        return len(tx.execute("SELECT label FROM items WHERE id = 0").fetchone()[0])

    async def write_then_read() -> tuple[int, int]:
        written = await db.write(add_one)
        return written, await db.read(look)

    await db.write(Items.insert(0))
    pairs = await asyncio.gather(*(write_then_read() for _ in range(300)))

    assert sorted(written for written, _ in pairs) == list(range(1, 301))
    assert all(seen >= written for written, seen in pairs)
