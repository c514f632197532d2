"""The write-ahead log stays bounded, though readers that overlap never leave it alone.

A log starts anew only when all of it is in the database and no reader looks at it. Readers that
follow each other without a gap would prevent that for ever, and the log would fill the disk.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from forge_collector.db import Database, SqliteEngine, Tx, database
from tests.integration.db.backends import TABLES
from tests.integration.db.batches import Items

KEPT = 256 * 1024
BODY_BYTES = 40_000
READ_S = 0.04


def slow_look(tx: Tx) -> None:
    Items.ids(tx)
    time.sleep(READ_S)


def rewrite(tx: Tx) -> None:
    # Other bytes each time: SQLite does not write what is there already.
    tx.execute("UPDATE items SET body = :body WHERE id = 0", {"body": os.urandom(BODY_BYTES)})


async def read_without_a_gap(db: Database) -> None:
    async def keep_looking(after_s: float) -> None:
        await asyncio.sleep(after_s)
        while True:
            await db.read(slow_look)

    await asyncio.gather(keep_looking(0), keep_looking(READ_S / 2))


async def test_readers_that_overlap_do_not_let_the_log_grow(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_CHECKPOINT_PERIOD_S", 0.05)
    db = Database(SqliteEngine(sqlite_path, schema=TABLES, log_bytes_kept=KEPT))
    await db.write(Items.insert(0))
    reading = asyncio.ensure_future(read_without_a_gap(db))

    written = largest = 0
    while written < 6_000_000:
        await db.write(rewrite)
        written += BODY_BYTES
        largest = max(largest, db.footprint().log_bytes)
        await asyncio.sleep(0.001)

    assert not reading.done()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await db.close()
    assert largest < 2_000_000


async def test_a_log_that_a_burst_blew_up_shrinks_back(sqlite_path: Path) -> None:
    engine = SqliteEngine(sqlite_path, schema=TABLES, log_bytes_kept=KEPT)
    writer = engine.open_writer()
    Items.insert(0)(writer)
    while engine.footprint().log_bytes < 4 * KEPT:
        rewrite(writer)

    engine.checkpoint(writer)
    rewrite(writer)

    assert engine.footprint().log_bytes <= KEPT
    writer.close()


async def test_a_reader_that_stays_holds_the_writer_up_for_a_moment_only(sqlite_path: Path) -> None:
    engine = SqliteEngine(sqlite_path, schema=TABLES, log_bytes_kept=0)
    writer, reader = engine.open_writer(), engine.open_reader()
    Items.insert(0)(writer)
    reader.begin_read()
    Items.ids(reader)
    rewrite(writer)

    started = time.monotonic()
    engine.checkpoint(writer)

    assert time.monotonic() - started < 1
    rewrite(writer)
    reader.close()
    writer.close()
