"""What every engine must do: bring a store's schema up to date, each step with its record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from forge_collector.db import Database, DatabaseError, migrations
from forge_collector.db.migrations import Migration
from tests.integration.db.backends import BACKENDS, TABLES, Backend
from tests.integration.db.batches import Items

ADDED = Migration(
    "0002_added",
    (
        "ALTER TABLE items ADD COLUMN weight BIGINT",
        "CREATE TABLE boxes (id BIGINT NOT NULL PRIMARY KEY)",
    ),
)
FAILING = Migration(
    "0002_failing",
    (
        "CREATE TABLE boxes (id BIGINT NOT NULL PRIMARY KEY)",
        "INSERT INTO items (id) VALUES (404)",
        "ALTER TABLE nowhere ADD COLUMN weight BIGINT",
    ),
)


async def schema_after(backend: Backend, schema: Sequence[Migration]) -> list[tuple[str, ...]]:
    db = Database(backend.engine(schema))
    try:
        return await db.read(backend.schema)
    finally:
        await db.close()


async def test_a_store_opened_again_is_as_it_was(backend: Backend) -> None:
    first = Database(backend.engine())
    await first.write(Items.insert(1))
    before = await first.read(backend.schema)
    await first.close()

    again = Database(backend.engine())  # CREATE TABLE would fail the second time
    assert await again.read(backend.schema) == before
    assert await again.read(Items.ids) == [1]
    await again.close()


async def test_a_new_migration_is_applied_once_and_keeps_what_is_there(backend: Backend) -> None:
    old = Database(backend.engine())
    await old.write(Items.insert(1))
    await old.close()

    for _ in range(2):
        db = Database(backend.engine([*TABLES, ADDED]))
        assert await db.read(Items.ids) == [1]
        assert await db.read(lambda tx: tx.execute("SELECT weight FROM items").fetchall())
        await db.close()


async def test_a_migration_that_fails_leaves_neither_its_changes_nor_its_record(
    backend: Backend,
) -> None:
    before = await schema_after(backend, TABLES)

    with pytest.raises(DatabaseError):
        Database(backend.engine([*TABLES, FAILING]))

    assert await schema_after(backend, TABLES) == before
    # Its record is not there either: put right, it is applied.
    right = Migration(FAILING.name, FAILING.statements[:2])
    db = Database(backend.engine([*TABLES, right]))
    assert await db.read(Items.ids) == [404]
    await db.close()


async def test_migrations_before_one_that_fails_stay_applied(backend: Backend) -> None:
    failing = Migration("0003_failing", ("DROP TABLE nowhere",))
    with pytest.raises(DatabaseError):
        Database(backend.engine([*TABLES, ADDED, failing]))

    db = Database(backend.engine(TABLES))
    assert await db.read(lambda tx: tx.execute("SELECT id FROM boxes").fetchall()) == []
    await db.close()


@pytest.mark.parametrize("kind", BACKENDS)
async def test_the_real_schema_is_the_same_fresh_and_migrated(kind: str, tmp_path: Path) -> None:
    fresh = await schema_after(BACKENDS[kind](tmp_path / "fresh"), migrations.ALL)

    step_by_step = BACKENDS[kind](tmp_path / "migrated")
    for applied in range(1, len(migrations.ALL) + 1):
        migrated = await schema_after(step_by_step, migrations.ALL[:applied])

    assert migrated == fresh
    tables = {name for type_, name, *_ in fresh if type_ == "table"}
    assert {"credentials", "nodes", "boots", "snapshots", "collector"} <= tables


async def test_migrations_have_names_that_sort_as_they_run() -> None:
    names = [migration.name for migration in migrations.ALL]
    assert names == sorted(set(names))
