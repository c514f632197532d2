"""What an engine is: connections that run statements and control their transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

Value = str | bytes | int | float | None


class Rows(Protocol):
    """What a statement returned. Columns come as tuples, in the order the statement names them."""

    @property
    def rowcount(self) -> int:
        """Rows the statement changed."""

    # A row's types are those of its statement, which stands where the row is unpacked.
    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Tx(Protocol):
    """An open transaction. Store functions take one, run in a thread, and never end it."""

    def execute(self, sql: str, params: Mapping[str, Value] = ...) -> Rows:
        """Run one statement with ``:name`` placeholders; raises DatabaseError."""

    def executemany(self, sql: str, params: Iterable[Mapping[str, Value]]) -> Rows:
        """Run one statement for each set of parameters; raises DatabaseError."""


class Connection(Tx, Protocol):
    """A Tx whose transaction the Database controls. Used by one thread at a time."""

    @property
    def in_transaction(self) -> bool:
        """False when a failure took the whole transaction with it."""

    def begin_write(self) -> None: ...

    def begin_read(self) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def savepoint(self) -> None: ...

    def release_savepoint(self) -> None: ...

    def rollback_to_savepoint(self) -> None: ...

    def close(self) -> None: ...


class Footprint(NamedTuple):
    """Bytes on disk: the database itself, and its write-ahead log."""

    database_bytes: int
    log_bytes: int


class Engine(Protocol):
    """Opens connections to one store, and keeps it in order."""

    def open_writer(self) -> Connection:
        """Open the one connection that writes, with the schema up to date."""

    def open_reader(self) -> Connection:
        """Open a connection that can only read, and whose queries are bounded in time."""

    def checkpoint(self, writer: Connection) -> None:
        """Fold the log into the database, as far as readers allow, outside a transaction."""

    def tidy(self, writer: Connection) -> bool:
        """Refresh statistics and give freed pages back, a bounded amount at a time; return
        whether there is more."""

    def copy(self, writer: Connection, target: Path, between: Callable[[], None]) -> None:
        """Copy the store to a file of its own, outside a transaction.

        ``between`` is called again and again until it is done, and may use the writer: what commits
        there is in the copy, or not, as a whole. What it raises ends the copy.
        """

    def footprint(self) -> Footprint: ...
