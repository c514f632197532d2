"""Group commit: every unit that waits runs in one transaction, each in its own savepoint.

A unit is a function over a Tx. Its future resolves after COMMIT returned, which with
synchronous=FULL is after fsync: what a caller was told is on disk.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from forge_collector.db.engine import Connection, Engine, Footprint, Tx
from forge_collector.db.errors import ConflictError, DatabaseError, OverloadedError

T = TypeVar("T")
Unit = Callable[[Tx], T]

_ENOUGH: Final = 1000  # units of a batch; more would make the first of them wait for long
_MAX_WAITING: Final = 20_000
_CHECKPOINT_PERIOD_S: Final = 1.0
_READERS: Final = 2


class _Waiting(NamedTuple):
    unit: Unit[Any]
    future: asyncio.Future[Any]


class _Outcome(NamedTuple):
    future: asyncio.Future[Any]
    value: Any
    error: Exception | None


class _Chore(NamedTuple):
    """Work for the writer's thread between two batches; the last one ends the thread."""

    run: Callable[[], Any]
    future: asyncio.Future[Any]
    is_last: bool = False


BatchObserver = Callable[[int, float], None]


class Database:
    """The one door to the store. Made inside a running event loop, closed with ``close``.

    ``observe_batch`` is called in the writer's thread after each commit, with the number of units
    and the seconds they took.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        max_waiting: int = _MAX_WAITING,
        observe_batch: BatchObserver | None = None,
    ) -> None:
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._max_waiting = max_waiting
        self._observe_batch = observe_batch
        self._waiting = 0
        self._arrived: list[_Waiting] = []
        self._closing = False
        self._queue: queue.SimpleQueue[list[_Waiting] | _Chore] = queue.SimpleQueue()
        self._put_off: deque[_Chore] = deque()
        self._writer = engine.open_writer()
        self._written_since_checkpoint = False
        self._checkpoint_due = time.monotonic() + _CHECKPOINT_PERIOD_S
        self._thread = threading.Thread(target=self._run, name="db-writer", daemon=True)
        self._thread.start()
        self._reader_of_thread = threading.local()
        self._readers: list[Connection] = []
        self._reader_pool = ThreadPoolExecutor(_READERS, "db-reader", self._open_reader)

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit and return its result once it is durable.

        What the unit raises is raised here, after it alone was rolled back. Raises OverloadedError
        without running it when too many wait, and DatabaseError when the transaction was lost.
        """
        return await self.queue(unit)

    def queue(self, unit: Unit[T]) -> asyncio.Future[T]:
        """Queue a unit as ``write`` does, and return the future of its result.

        What is queued in one turn of the event loop runs in that order, and commits together.
        """
        self._check_open()
        if self._waiting >= self._max_waiting:
            raise OverloadedError(f"{self._waiting} units wait for the writer")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting += 1
        self._arrived.append(_Waiting(unit, future))
        if len(self._arrived) == 1:
            # What this turn of the event loop brings goes over together: each hand-over makes the
            # two threads fight for the interpreter (measured: docs/performance.md).
            self._loop.call_soon(self._hand_over)
        return future

    async def read(self, query: Unit[T]) -> T:
        """Run a query on a consistent view of what is committed, and return its result."""
        self._check_open()
        return await self._loop.run_in_executor(self._reader_pool, self._read, query)

    async def tidy(self) -> bool:
        """Do some of the engine's housekeeping between two batches; return whether there is more.

        Raises DatabaseError.
        """
        self._check_open()
        return await self._do(lambda: self._engine.tidy(self._writer))

    async def copy(self, target: Path, stop: threading.Event) -> None:
        """Copy the store to a file, while units go on: each is held up for a step at most.

        All that was durable when this was called is in the copy. It ends with DatabaseError when
        ``stop`` is set, or the Database is closed.
        """
        self._check_open()

        def between() -> None:
            if stop.is_set() or self._closing:
                raise DatabaseError("the copy was broken off")
            self._go_on()

        await self._do(lambda: self._engine.copy(self._writer, target, between))

    def footprint(self) -> Footprint:
        return self._engine.footprint()

    @property
    def waiting(self) -> int:
        """Units that wait for the writer."""
        return self._waiting

    async def close(self) -> None:
        """Commit what waits, fold the log in, and close every connection."""
        if self._closing:
            return
        self._closing = True
        # The reader pool first: the engine's last checkpoint then has nobody in its way.
        await self._loop.run_in_executor(None, self._reader_pool.shutdown)
        for reader in self._readers:
            reader.close()
        await self._do(self._close_writer, is_last=True)
        self._thread.join()

    def _check_open(self) -> None:
        if self._closing:
            raise DatabaseError("the database is closed")

    def _hand_over(self) -> None:
        if self._arrived:
            self._queue.put(self._arrived)
            self._arrived = []

    async def _do(self, run: Callable[[], T], *, is_last: bool = False) -> T:
        future: asyncio.Future[T] = self._loop.create_future()
        self._hand_over()
        self._queue.put(_Chore(run, future, is_last))
        return await future

    # --- readers ---------------------------------------------------------------------------

    def _open_reader(self) -> None:
        reader = self._engine.open_reader()
        self._readers.append(reader)
        self._reader_of_thread.connection = reader

    def _read(self, query: Unit[T]) -> T:
        reader: Connection = self._reader_of_thread.connection
        reader.begin_read()
        try:
            return query(reader)
        except StopIteration as error:
            raise _bearable(error) from error
        finally:
            reader.rollback()

    # --- the writer's thread ---------------------------------------------------------------

    def _run(self) -> None:
        chore: _Chore | None = None
        while chore is None or not chore.is_last:
            if self._put_off:
                chore = self._put_off.popleft()
            else:
                # With something to fold in, look up again when the checkpoint is due.
                timeout_s = _CHECKPOINT_PERIOD_S if self._written_since_checkpoint else None
                chore = self._do_batch(timeout_s)
            if chore is not None:
                self._deliver([self._outcome_of(chore)])

    def _go_on(self) -> None:
        """Amid a long chore: do what units wait, and leave other chores for later."""
        chore = self._do_batch(0)
        if chore is not None:
            self._put_off.append(chore)

    def _do_batch(self, timeout_s: float | None) -> _Chore | None:
        """Commit what units wait, then a checkpoint if it is due; return the chore behind them."""
        batch, chore = self._next_batch(timeout_s)
        if batch:
            started = time.monotonic()
            outcomes = self._commit(batch)
            elapsed_s = time.monotonic() - started
            if self._observe_batch is not None:
                self._observe_batch(len(batch), elapsed_s)
            self._written_since_checkpoint = True
            # Last: the event loop wakes up at this, and needs the interpreter for itself.
            self._deliver(outcomes, units=len(batch))
        self._checkpoint_when_due()
        return chore

    def _next_batch(self, timeout_s: float | None) -> tuple[list[_Waiting], _Chore | None]:
        """Wait for the first units, then take all that wait, up to the next chore."""
        batch: list[_Waiting] = []
        try:
            item = self._queue.get(timeout=timeout_s)
            while isinstance(item, list):
                batch += item
                if len(batch) >= _ENOUGH:
                    return batch, None
                item = self._queue.get_nowait()
        except queue.Empty:
            return batch, None
        return batch, item

    def _commit(self, batch: list[_Waiting]) -> list[_Outcome]:
        try:
            self._writer.begin_write()
            is_alone = len(batch) == 1
            outcomes = [self._run_unit(waiting, is_alone=is_alone) for waiting in batch]
            self._writer.commit()
        except DatabaseError as error:
            # The transaction is lost, and with it every unit, whatever each one thought.
            self._abandon()
            return [_Outcome(waiting.future, None, _lost(error)) for waiting in batch]
        return outcomes

    def _run_unit(self, waiting: _Waiting, *, is_alone: bool) -> _Outcome:
        """Run one unit in its savepoint; raises DatabaseError when the transaction is gone.

        One that is alone needs no savepoint: there is nothing in the transaction to save from it.
        """
        if not is_alone:
            self._writer.savepoint()
        try:
            value = waiting.unit(self._writer)
        except Exception as error:  # whatever a unit raises is its caller's to see
            if not self._writer.in_transaction:
                if isinstance(error, DatabaseError):
                    raise
                raise DatabaseError(f"the transaction was lost: {error}") from error
            if is_alone:
                self._writer.rollback()
                self._writer.begin_write()
            else:
                self._writer.rollback_to_savepoint()
            return _Outcome(waiting.future, None, _bearable(error))
        if not is_alone:
            self._writer.release_savepoint()
        return _Outcome(waiting.future, value, None)

    def _abandon(self) -> None:
        try:
            self._writer.rollback()
        except DatabaseError:
            # Rolling back failed too; the next BEGIN says so to whoever comes then.
            return

    def _outcome_of(self, chore: _Chore) -> _Outcome:
        try:
            value = chore.run()
        except DatabaseError as error:
            return _Outcome(chore.future, None, error)
        return _Outcome(chore.future, value, None)

    def _close_writer(self) -> None:
        # A log that cannot be folded in now, because the disk is full, stays for the next start.
        with suppress(DatabaseError):
            self._engine.checkpoint(self._writer)
        self._writer.close()

    def _checkpoint_when_due(self) -> None:
        if not self._written_since_checkpoint or time.monotonic() < self._checkpoint_due:
            return
        self._checkpoint_due = time.monotonic() + _CHECKPOINT_PERIOD_S
        try:
            self._engine.checkpoint(self._writer)
        except DatabaseError:
            # The log keeps what could not be folded in; the next period tries again, and
            # footprint() shows a log that grows.
            return
        self._written_since_checkpoint = False

    def _deliver(self, outcomes: list[_Outcome], *, units: int = 0) -> None:
        self._loop.call_soon_threadsafe(self._resolve, outcomes, units)

    def _resolve(self, outcomes: list[_Outcome], units: int) -> None:
        self._waiting -= units
        for future, value, error in outcomes:
            if future.done():  # its caller was cancelled meanwhile
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)


def _lost(error: DatabaseError) -> DatabaseError:
    """Return what to tell one of many callers whose units went with the transaction.

    A constraint that broke at COMMIT is no conflict of theirs; and each gets an exception of its
    own, for raising adds a traceback to it.
    """
    if isinstance(error, ConflictError):
        return DatabaseError(f"the transaction was lost: {error}")
    return type(error)(*error.args)


def _bearable(error: Exception) -> Exception:
    """Return the error, or for the one that no future can carry, another in its place."""
    if not isinstance(error, StopIteration):
        return error
    bearable = RuntimeError("a unit raised StopIteration")
    bearable.__cause__ = error
    return bearable
