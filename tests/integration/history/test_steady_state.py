"""A store that has reached its age stops growing: what sealing and pruning free is used again, or
goes back to the disk; and the log stays small, though readers never leave it alone.

Two days pass here in seconds, an hour at a time, through the collector's own sealer and pruning.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from forge_collector.db import Database, SqliteEngine, Tx, database, sqlite
from forge_collector.history import store, tasks
from forge_collector.history.store import Boot, Row
from forge_collector.history.tasks import Kept, Sealer
from forge_shared import codec
from tests.unit.fleet.manual_clock import ManualClock

NODES = 2
KEYS = [f"cpu.core_pct/{core:0900}" for core in range(2)]  # long, that rows take room
INTERVAL_MS = 20_000
PUSHES_AT_ONCE = 30
PUSHES_AN_HOUR = 180
FILLING_HOURS = 32  # after a day and the longest chunk nothing is kept any longer
STEADY_HOURS = 8
KEPT = Kept(hours=1, rollup_days=1)
LOG_KEPT = 512 * 1024
READ_S = 0.005
PAGE_BYTES = 4096


class Seen(NamedTuple):
    """What lay on the disk. ``pages``: of the file, as it will be when the log is folded in;
    ``free``: those that hold nothing."""

    pages: int
    free: int
    log_bytes: int


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_FREED_PAGES_AT_ONCE", 20)  # far fewer than an hour takes
    monkeypatch.setattr(tasks, "_SHARE", 1.0)
    monkeypatch.setattr(tasks, "_PAUSE_S", 0.0)
    monkeypatch.setattr(database, "_CHECKPOINT_PERIOD_S", 0.02)


class Fleet:
    """A few nodes that push, and the collector's housekeeping."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock()
        self.db = Database(SqliteEngine(path, log_bytes_kept=LOG_KEPT, spare_after_s=0))
        self._sealer = Sealer(self.db, self.clock)
        self._random = random.Random(5)
        self._seq = 0

    async def join(self) -> None:
        self._boots = await self.db.write(
            lambda tx: [store.open_boot(tx, f"n{node}", "boot") for node in range(NODES)]
        )

    async def hour(self) -> Seen:
        """Let an hour pass; return what lies on the disk when most does: before it is sealed."""
        for _ in range(PUSHES_AN_HOUR // PUSHES_AT_ONCE):
            await self.db.write(self._push_some)
        seen = await self.look()
        await self._sealer.catch_up()
        await self.prune()
        return seen

    async def prune(self) -> Seen:
        await tasks.prune(self.db, self.clock.now_ms(), KEPT)
        return await self.look()

    async def look(self) -> Seen:
        def look(tx: Tx) -> tuple[int, int]:
            (pages,) = tx.execute("PRAGMA page_count").fetchone()
            (free,) = tx.execute("PRAGMA freelist_count").fetchone()
            return pages, free

        return Seen(*await self.db.read(look), self.db.footprint().log_bytes)

    def _push_some(self, tx: Tx) -> None:
        for _ in range(PUSHES_AT_ONCE):
            self.clock.advance(INTERVAL_MS)
            self._seq += 1
            for boot in self._boots:
                self._push(tx, boot)

    def _push(self, tx: Tx, boot: Boot) -> None:
        now_ms = self.clock.now_ms()
        values = {key: self._random.randrange(1000) / 10 for key in KEYS}
        row = Row(self._seq, now_ms, codec.encode(values))
        assert store.append(tx, boot, [row], now_ms) == 1


@asynccontextmanager
async def readers(db: Database, *, overlap: bool) -> AsyncIterator[None]:
    """Read without a gap, or not at all."""

    def look(tx: Tx) -> None:
        tx.execute("SELECT COUNT(*) FROM boots").fetchall()
        time.sleep(READ_S)

    async def keep_looking(after_s: float) -> None:
        await asyncio.sleep(after_s)
        while True:
            await db.read(look)

    reading = [asyncio.ensure_future(keep_looking(part * READ_S / 2)) for part in range(2)]
    try:
        if not overlap:
            for task in reading:
                task.cancel()
        yield
        assert not overlap or not any(task.done() for task in reading)
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


@pytest.mark.parametrize("overlap", [False, True], ids=["no readers", "readers without a gap"])
async def test_the_file_and_its_log_stop_growing(tmp_path: Path, overlap: bool) -> None:
    fleet = Fleet(tmp_path / "fleet.db")
    await fleet.join()
    empty = await fleet.look()
    async with readers(fleet.db, overlap=overlap):
        filling = [await fleet.hour() for _ in range(FILLING_HOURS)]
        before = [await fleet.hour() for _ in range(STEADY_HOURS)]
        after = [await fleet.hour() for _ in range(STEADY_HOURS)]

        assert max(seen.log_bytes for seen in [*filling, *before, *after]) < 8 * LOG_KEPT
        assert _largest(after) <= _largest(before) * 1.05, (before, after)
        # An hour of rows is most of it, and lives in the pages of the hour before.
        assert max(seen.free / seen.pages for seen in after) < 0.25

        # All that was there goes, and so does its room.
        fleet.clock.advance(40 * 24 * 3_600_000)
        seen = await fleet.prune()
        for _ in range(200):
            if not seen.free:
                break
            seen = await fleet.prune()
    assert seen.free == 0
    await fleet.db.close()
    assert _largest(after) > empty.pages * 3
    assert fleet.db.footprint().database_bytes <= (empty.pages + 2) * PAGE_BYTES
    assert fleet.db.footprint().log_bytes == 0


def _largest(steps: list[Seen]) -> int:
    return max(seen.pages for seen in steps)
