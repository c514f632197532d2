"""Pruning as it runs in the collector: in small transactions, to the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge_collector.db import Database, SqliteEngine, Tx
from forge_collector.history import store, tasks
from forge_collector.history.store import Row

NOW = 1_800_000_000_000
HOUR_MS = 3_600_000
KEPT = tasks.Kept(hours=48, rollup_days=30)


async def test_prune_removes_all_that_is_too_old_a_bounded_amount_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_ROWS_AT_ONCE", 10)
    monkeypatch.setattr(tasks, "_PAUSE_S", 0)
    db = Database(SqliteEngine(tmp_path / "fleet.db"))

    def fill(tx: Tx) -> None:
        for boot_id, age_hours in (("old", 50), ("new", 1)):
            rows = (Row(seq, NOW - age_hours * HOUR_MS, b"{}") for seq in range(35))
            store.append(tx, store.open_boot(tx, "n1", boot_id), rows, NOW)

    await db.write(fill)
    changed: list[int] = []
    pruned = store.prune

    def counted(tx: Tx, before_ms: int, limit: int) -> int:
        changed.append(pruned(tx, before_ms, limit))
        return changed[-1]

    monkeypatch.setattr(store, "prune", counted)

    assert await tasks.prune(db, NOW, KEPT) == 35
    assert changed == [10, 10, 10, 5]
    assert len(await db.read(lambda tx: store.recent(tx, "n1", 300))) == 35
    assert await db.read(lambda tx: tx.execute("SELECT COUNT(*) FROM boots").fetchone()[0]) == 1
    await db.close()


async def test_pruning_gives_room_back(tmp_path: Path) -> None:
    db = Database(SqliteEngine(tmp_path / "fleet.db", spare_after_s=0))

    def fill(tx: Tx) -> None:
        rows = (Row(seq, NOW - 50 * HOUR_MS, bytes(3000)) for seq in range(1000))
        store.append(tx, store.open_boot(tx, "n1", "a"), rows, NOW)

    def pages(tx: Tx) -> int:
        return int(tx.execute("PRAGMA page_count").fetchone()[0])

    await db.write(fill)
    before = await db.read(pages)
    await tasks.prune(db, NOW, KEPT)

    assert await db.read(pages) < before / 4
    await db.close()


async def test_room_that_is_soon_needed_again_is_not_given_back(tmp_path: Path) -> None:
    db = Database(SqliteEngine(tmp_path / "fleet.db", spare_after_s=3600))

    def write(tx: Tx) -> None:
        rows = (Row(seq, NOW - 50 * HOUR_MS, bytes(3000)) for seq in range(100))
        store.append(tx, store.open_boot(tx, "n1", "a"), rows, NOW)

    def free_pages(tx: Tx) -> int:
        return int(tx.execute("PRAGMA freelist_count").fetchone()[0])

    await db.write(write)
    await tasks.prune(db, NOW, KEPT)

    assert await db.read(free_pages) > 50
    await db.close()
