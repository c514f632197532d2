"""The engines the conformance suite runs on. A second one is a second Backend, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from forge_collector.db import SqliteEngine, Tx
from forge_collector.db.engine import Engine
from forge_collector.db.migrations import Migration

# What the suite writes to: DDL that every engine must accept as it stands. A part names its item
# when the transaction commits, so that a COMMIT can be made to fail.
TABLES: Sequence[Migration] = (
    Migration(
        "0001_tables",
        (
            "CREATE TABLE items (id BIGINT NOT NULL PRIMARY KEY, label TEXT, body BLOB)",
            """
            CREATE TABLE parts (
                id BIGINT NOT NULL PRIMARY KEY,
                item BIGINT NOT NULL REFERENCES items (id) DEFERRABLE INITIALLY DEFERRED
            )
            """,
        ),
    ),
)


class Backend(Protocol):
    """One store, empty at first. Each engine made of it opens that same store."""

    def engine(
        self, schema: Sequence[Migration] = TABLES, *, read_time_s: float = 10.0
    ) -> Engine: ...

    def schema(self, tx: Tx) -> list[tuple[str, ...]]:
        """Describe every table and index, the record of migrations left out."""


class SqliteBackend:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._path = folder / "store.db"

    def engine(self, schema: Sequence[Migration] = TABLES, *, read_time_s: float = 10.0) -> Engine:
        return SqliteEngine(self._path, schema=schema, read_time_s=read_time_s)

    def schema(self, tx: Tx) -> list[tuple[str, ...]]:
        rows = tx.execute(
            """
            SELECT type, name, tbl_name, COALESCE(sql, '') FROM sqlite_master
            WHERE tbl_name NOT LIKE '%migrations%' ORDER BY type, name
            """
        )
        return [tuple(row) for row in rows]


BACKENDS: Mapping[str, Callable[[Path], Backend]] = {"sqlite": SqliteBackend}
