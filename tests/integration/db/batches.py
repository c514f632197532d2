"""Forcing units into one batch: the writer is held at a gate while they queue up behind it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from forge_collector.db import Database, Tx

PATIENCE_S = 10.0

Unit = Callable[[Tx], Any]


class Items:
    """Units over the table of items."""

    @staticmethod
    def insert(item: int, label: str = "") -> Unit:
        def unit(tx: Tx) -> int:
            tx.execute(
                "INSERT INTO items (id, label) VALUES (:id, :label)", {"id": item, "label": label}
            )
            return item

        return unit

    @staticmethod
    def ids(tx: Tx) -> list[int]:
        return [row[0] for row in tx.execute("SELECT id FROM items ORDER BY id")]


@asynccontextmanager
async def held_writer(db: Database) -> AsyncIterator[None]:
    """Keep the writer busy with a unit that writes nothing, until the block is left."""
    reached, released = threading.Event(), threading.Event()

    def gate(_tx: Tx) -> None:
        reached.set()
        assert released.wait(PATIENCE_S)

    holding = asyncio.ensure_future(db.write(gate))
    try:
        await asyncio.sleep(0)
        assert await asyncio.to_thread(reached.wait, PATIENCE_S)
        yield
    finally:
        released.set()
        await holding


async def queued(db: Database, *units: Unit) -> list[asyncio.Future[Any]]:
    """Queue units behind the writer, in this order; return once all of them wait."""
    before = db.waiting
    futures: list[asyncio.Future[Any]] = [asyncio.ensure_future(db.write(unit)) for unit in units]
    await asyncio.sleep(0)  # each task now runs up to where it waits for the writer
    assert db.waiting == before + len(units)
    return futures


async def in_one_batch(db: Database, *units: Unit) -> list[Any]:
    """Run units in one batch; return each one's result, or the exception it got."""
    async with held_writer(db):
        futures = await queued(db, *units)
    async with asyncio.timeout(PATIENCE_S):
        return await asyncio.gather(*futures, return_exceptions=True)
