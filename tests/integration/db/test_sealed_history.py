"""The schema rolls forward: a database from before history was sealed opens, and reads the same."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from forge_collector.db import Database, SqliteEngine, Tx, migrations
from forge_collector.history import store
from forge_collector.history.tasks import Sealer
from tests.unit.fleet.manual_clock import START_MS, ManualClock

HOUR_MS = 3_600_000
ALWAYS = (0, 10**15)


def fill(tx: Tx) -> None:
    """Two nodes as the release before stored them: one with two boots, one with a wrong clock."""
    for boot, node_id, offset_ms in ((1, "n1", None), (2, "n1", 40), (7, "n2", -HOUR_MS)):
        tx.execute(
            "INSERT INTO boots VALUES (:boot, :node_id, :boot_id, :offset_ms, 1)",
            {"boot": boot, "node_id": node_id, "boot_id": f"b{boot}", "offset_ms": offset_ms},
        )
        begins = START_MS - 3 * HOUR_MS + boot * 600_000
        for seq in range(100):
            tx.execute(
                "INSERT INTO snapshots VALUES (:boot, :seq, :ts, :observed_at, :body)",
                {
                    "boot": boot,
                    "seq": seq,
                    "ts": begins + 5000 * seq - (offset_ms or 0),
                    "observed_at": begins + 5000 * seq,
                    "body": msgspec.json.encode({"cpu.pct": seq / 10, "new.thing": boot}),
                },
            )


def told(tx: Tx) -> dict[str, list[tuple[int, float, float]]]:
    found = {node_id: store.samples(tx, node_id, *ALWAYS) for node_id in ("n1", "n2")}
    return {
        node_id: list(
            zip(
                some.ts.tolist(),
                some.values["cpu.pct"].tolist(),
                some.values["new.thing"].tolist(),
                strict=True,
            )
        )
        for node_id, some in found.items()
    }


def expected() -> dict[str, list[tuple[int, float, float]]]:
    return {
        node_id: [
            (START_MS - 3 * HOUR_MS + boot * 600_000 + 5000 * seq - moved, seq / 10, boot)
            for boot, moved in boots
            for seq in range(100)
        ]
        for node_id, boots in (("n1", ((1, 0), (2, 40))), ("n2", ((7, 0),)))
    }


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A database of the first release, with rows in it."""
    path = tmp_path / "fleet.db"
    old = Database(SqliteEngine(path, schema=migrations.ALL[:1]))
    await old.write(fill)
    await old.close()
    return path


async def test_it_reads_the_same_before_and_after_it_is_sealed(path: Path) -> None:
    db = Database(SqliteEngine(path))
    assert await db.read(told) == expected()
    recent = await db.read(lambda tx: store.recent(tx, "n1", 150))
    last = await db.read(lambda tx: store.last_of_boot(tx, "n2", "b7", 30))

    await Sealer(db, ManualClock()).catch_up()

    assert await db.read(lambda tx: tx.execute("SELECT COUNT(*) FROM snapshots").fetchone()) == (0,)
    assert await db.read(told) == expected()
    sealed = await db.read(lambda tx: store.recent(tx, "n1", 150))
    assert [point.ts for point in sealed] == [point.ts for point in recent]
    assert [msgspec.json.decode(point.body) for point in sealed] == [
        msgspec.json.decode(point.body) for point in recent
    ]
    again = await db.read(lambda tx: store.last_of_boot(tx, "n2", "b7", 30))
    assert last is not None
    assert again is not None
    assert (again.seq, again.recorded[-1].ts) == (last.seq, last.recorded[-1].ts)
    await db.close()


async def test_boots_from_before_go_on(path: Path) -> None:
    """Their resends are duplicates, and new boots get numbers of their own."""
    db = Database(SqliteEngine(path))
    await Sealer(db, ManualClock()).catch_up()

    def resend(tx: Tx) -> int:
        boot = store.open_boot(tx, "n1", "b2")
        assert boot.boot == 2
        rows = [store.Row(seq, START_MS, b"{}") for seq in range(95, 103)]
        return store.append(tx, boot, rows, START_MS)

    assert await db.write(resend) == 3
    new = await db.write(lambda tx: store.open_boot(tx, "n3", "b1"))
    assert new.boot == 8
    await db.close()


async def test_the_release_before_runs_on_the_schema_after(path: Path) -> None:
    """As far as the store goes: whoever rolls back sees at least what was not sealed."""
    await Database(SqliteEngine(path)).close()
    old = Database(SqliteEngine(path, schema=migrations.ALL[:1]))

    def push(tx: Tx) -> None:
        tx.execute("INSERT INTO boots (boot, node_id, boot_id, was_live) VALUES (9, 'n9', 'b', 0)")
        tx.execute(
            "INSERT INTO snapshots (boot, seq, ts, observed_at, body) VALUES (9, 0, 1, 1, x'7b7d')"
        )

    await old.write(push)
    rows = await old.read(lambda tx: tx.execute("SELECT COUNT(*) FROM snapshots").fetchone())
    assert rows == (301,)
    await old.close()
