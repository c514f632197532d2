"""The sealer as it runs in the collector: all that is due, whatever is damaged or comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from forge_collector.db import Database, SqliteEngine, Tx
from forge_collector.history import codec, rules, store, tasks
from forge_collector.history.columns import Columns, of_snapshots
from forge_collector.history.store import Row
from forge_collector.history.tasks import Sealer
from tests.unit.fleet.manual_clock import ManualClock

SHORT_MS, HOUR_MS, LONG_MS = rules.SPANS_MS
BEGIN = 1_800_000_000_000 // LONG_MS * LONG_MS
ALWAYS = (0, 10**15)
PATIENCE_S = 20


@pytest.fixture
async def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr(tasks, "_SHARE", 0.99)  # nobody pushes here that would have to wait
    db = Database(SqliteEngine(tmp_path / "fleet.db"))
    yield db
    await db.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(BEGIN + LONG_MS + 60_000)


async def add(
    db: Database, seqs: range, *, node_id: str = "n1", body: bytes = b'{"cpu.pct":1}'
) -> int:
    def append(tx: Tx) -> int:
        rows = [Row(seq, BEGIN + 5000 * seq, body) for seq in seqs]
        return store.append(tx, store.open_boot(tx, node_id, "a"), rows, BEGIN + LONG_MS)

    return await db.write(append)


async def told(db: Database, node_id: str = "n1") -> list[int]:
    found = await db.read(lambda tx: store.samples(tx, node_id, *ALWAYS))
    return sorted(found.seq.tolist())


async def count(db: Database, table: str) -> int:
    return int(await db.read(lambda tx: tx.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]))


async def catch_up(sealer: Sealer) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await sealer.catch_up()
    assert (sealer.unsealed, sealer.unmerged) == (0, 0)


async def test_all_that_is_due_is_sealed_merged_and_rolled_up(
    db: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_ROWS_OF_A_BOOT", 100)
    monkeypatch.setattr(tasks, "_SPANS_AT_ONCE", 3)
    for number in range(10):  # more than it takes up at once
        await add(db, range(0, 5000, 10), node_id=f"n{number}")
    await catch_up(Sealer(db, clock))
    assert await count(db, "chunks") == await count(db, "rollups") == 10
    assert await count(db, "snapshots") == 10 * 68  # of five minutes that are not over
    for number in range(10):
        assert await told(db, f"n{number}") == list(range(0, 5000, 10))


async def test_what_comes_while_it_seals_is_kept_too(db: Database, clock: ManualClock) -> None:
    await add(db, range(0, 4320, 4))
    sealer = Sealer(db, clock)

    async def push() -> None:
        for first in (1, 2, 3):
            for start in range(first, 4320, 400):
                new = await add(db, range(start, min(4320, start + 400), 4))
                assert new == len(range(start, min(4320, start + 400), 4))
                assert await add(db, range(start, min(4320, start + 400), 4)) == 0

    await asyncio.gather(catch_up(sealer), push())
    assert await told(db) == list(range(4320))
    await catch_up(sealer)
    assert await count(db, "chunks") == 1
    assert await told(db) == list(range(4320))


async def test_a_row_that_cannot_be_read_stops_nothing(db: Database, clock: ManualClock) -> None:
    await add(db, range(20))
    await add(db, range(20, 21), body=b"\xff no JSON")
    await add(db, range(20), node_id="n2")
    sealer = Sealer(db, clock)
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):  # the second time there is a chunk of its span
            await catch_up(sealer)
            await add(db, range(21, 40))
        await catch_up(sealer)
        assert await told(db) == [*range(20), *range(21, 40)]
        assert await told(db, "n2") == list(range(20))
    assert "a snapshot is damaged and left out" in {line["event"] for line in lines}
    assert await count(db, "snapshots") == 1
    assert await count(db, "chunks") == 2


async def test_damage_is_named_as_a_merge_leaves_it_out(db: Database, clock: ManualClock) -> None:
    await add(db, range(180))
    await tasks.Sealer(db, ManualClock(BEGIN + 20 * 60_000)).catch_up()
    await db.write(
        lambda tx: tx.execute(
            "UPDATE chunks SET body = x'01' WHERE begins = :begins", {"begins": BEGIN + SHORT_MS}
        )
    )
    with structlog.testing.capture_logs() as lines:
        await catch_up(Sealer(db, clock))
        assert await told(db) == [*range(60), *range(120, 180)]
    assert "damaged history is left out of a merge" in {line["event"] for line in lines}


async def test_a_packing_that_loses_something_costs_nothing(
    db: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_SPANS_AT_ONCE", 2)
    await add(db, range(0, 4320, 100))
    right = codec.encode_columns

    def lossy(some: Columns, *, is_thorough: bool = True) -> bytes:
        return right(of_snapshots(some.seq.tolist(), some.ts.tolist(), [{}] * len(some)))

    monkeypatch.setattr(codec, "encode_columns", lossy)
    sealer = Sealer(db, clock)
    with structlog.testing.capture_logs() as lines:
        await catch_up(sealer)
    assert "history stays unsealed" in {line["event"] for line in lines}
    assert await count(db, "chunks") == 0
    monkeypatch.setattr(codec, "encode_columns", right)
    await tasks.Sealer(db, ManualClock(BEGIN + 50 * 60_000)).catch_up()
    assert await count(db, "chunks") == 6
    monkeypatch.setattr(codec, "encode_columns", lossy)
    with structlog.testing.capture_logs():
        await catch_up(sealer)
    assert await told(db) == list(range(0, 4320, 100))
