"""Looking for damage: in a store that is at rest whole, beside a running collector bit by bit.

What reads at one stretch pins the log of a collector that runs, so there each table is looked at by
itself, for seconds at most, and history row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from forge_collector import config
from forge_collector.backup import contents
from forge_collector.config import ConfigError, FolderInUseError
from forge_collector.db import SqliteEngine, Tx, sqlite_file
from forge_collector.db.engine import Connection
from forge_collector.db.errors import DatabaseError, TooSlowError
from forge_collector.history.store import damage
from forge_collector.history.store.damage import Damaged
from forge_collector.logs import printable

T = TypeVar("T")
Read = Callable[[Callable[[Tx], T]], T]

_AT_ONCE: Final = 500  # takes a tenth of a second or two


class Report(NamedTuple):
    """``snapshots``: how many there are. ``faults``: of the database, in SQLite's words.
    ``left_out``: tables too large for a look beside a running collector."""

    snapshots: int
    faults: list[str]
    damaged: list[Damaged]
    left_out: list[str]

    @property
    def is_sound(self) -> bool:
        return not self.faults and not self.damaged


def lines(report: Report) -> Iterator[str]:
    """Return what to tell of a report."""
    yield from (f"✗ {printable(fault)}" for fault in report.faults)
    yield from (f"✗ {described(damaged)}" for damaged in report.damaged)
    if report.is_sound:
        yield f"✓ no damage found among {report.snapshots:,} snapshots"
    if report.left_out:
        yield (
            f"  Of {', '.join(report.left_out)} only the rows were looked at, for the collector "
            "runs; a backup is checked whole."
        )


def described(damaged: Damaged) -> str:
    """Return one line that names damaged history."""
    node = "a forgotten node" if damaged.node_id is None else damaged.node_id
    return printable(
        f"{damaged.what} of {node}, boot {damaged.boot_id}, {_time(damaged.from_ms)} to "
        f"{_time(damaged.to_ms)}: {damaged.reason}"
    )


def check(data: Path) -> Report:
    """Look at a collector's store, running or not; raises ConfigError and DatabaseError."""
    database = data / config.DATABASE_FILE
    if not database.exists():
        raise ConfigError(f"There is no database in {data}. Name the data folder with --data DIR.")
    try:
        with config.locked(data):
            return _at_rest(database, has_log=True)
    except FolderInUseError:
        return _in_use(database)


def check_file(path: Path) -> Report:
    """Look at a backup; raises ConfigError and DatabaseError."""
    contents.check_is_whole(path)
    return _at_rest(path, has_log=False)


def of_history(read: Read[damage.Looked]) -> tuple[int, list[Damaged]]:
    """Decode all history, a few rows a read; return how many snapshots there are, and what is
    damaged."""
    snapshots, damaged = 0, []
    place: damage.Place | None = None
    while True:
        looked = read(_looking(place))
        snapshots += looked.snapshots
        damaged += looked.damaged
        place = looked.place
        if place is None:
            return snapshots, damaged


def _looking(place: damage.Place | None) -> Callable[[Tx], damage.Looked]:
    return lambda tx: damage.look(tx, place, _AT_ONCE)


def _time(ms: int) -> str:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(" ", "seconds")
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"


def _at_rest(database: Path, *, has_log: bool) -> Report:
    with sqlite_file.opened(database, has_log=has_log) as tx:
        contents.check_schema(tx)
        faults = sqlite_file.faults(tx)
        return _with_history(lambda query: query(tx), faults, [])


def _in_use(database: Path) -> Report:
    with closing(SqliteEngine(database).open_reader()) as reader:

        def read(query: Callable[[Tx], T]) -> T:
            return _shortly(reader, query)

        read(contents.check_schema)
        faults: list[str] = []
        left_out: list[str] = []
        for table in read(sqlite_file.tables):
            if table in damage.READ_BY_ROW:
                left_out.append(table)
                continue
            try:
                faults += read(_looking_at_table(table))
            except TooSlowError:
                left_out.append(table)
        return _with_history(read, faults, left_out)


def _looking_at_table(table: str) -> Callable[[Tx], list[str]]:
    return lambda tx: sqlite_file.faults_of_table(tx, table)


def _with_history(read: Read[damage.Looked], faults: list[str], left_out: list[str]) -> Report:
    try:
        snapshots, damaged = of_history(read)
    except DatabaseError as error:
        # What cannot even be read ends the look at history; what SQLite says of it comes first.
        return Report(0, [*faults, f"history cannot be read: {error}"], [], left_out)
    return Report(snapshots, faults, damaged, left_out)


def _shortly(reader: Connection, query: Callable[[Tx], T]) -> T:
    reader.begin_read()
    try:
        return query(reader)
    finally:
        reader.rollback()
