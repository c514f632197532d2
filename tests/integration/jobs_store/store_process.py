"""The store in a process of its own, that can be killed at any moment, as a collector can."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from forge_collector.db import Rows, SqliteEngine, Tx, Value
from forge_collector.jobs import store
from forge_collector.jobs.rules import NoSuchJobError, RefusedError

_SPAWN = multiprocessing.get_context("spawn")
_TIMEOUT_S = 30


class Unit(NamedTuple):
    """A function of the store and what to call it with; ``draw`` is what randomness says."""

    name: str
    arguments: tuple[Any, ...]
    draw: float | None = None


class Death(NamedTuple):
    """When the process kills itself: at a statement of the unit, or at its commit."""

    statement: int | None = None
    is_committed: bool = False


class Answer(NamedTuple):
    """What a unit returned, or why it was refused."""

    value: Any = None
    refusal: str | None = None


class DeadError(Exception):
    """The process was killed before it answered."""


class StoreProcess:
    """Runs units one after the other, each in a transaction of its own."""

    def __init__(self, path: Path) -> None:
        self._connection, self._pid = _forks().one(path)

    def run(
        self, unit: Unit, death: Death | None = None, *, kill_after_s: float | None = None
    ) -> Answer:
        """Run a unit; raises DeadError. ``kill_after_s``: from outside, wherever it is then."""
        self._connection.send((unit, death))
        if kill_after_s is not None:
            # Whatever it answered, nobody was there to hear it.
            time.sleep(kill_after_s)
            self.kill()
            raise DeadError
        try:
            if not self._connection.poll(_TIMEOUT_S):
                raise AssertionError("the store hangs")
            answer = self._connection.recv()
        except (EOFError, ConnectionResetError):
            raise DeadError from None
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, Answer)
        return answer

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with suppress(EOFError, ConnectionResetError):
            while self._connection.poll(_TIMEOUT_S):
                self._connection.recv()

    def close(self) -> None:
        self.kill()
        self._connection.close()


class _Forks:
    """A process that has imported what a store needs, and forks one whenever it is asked to."""

    def __init__(self) -> None:
        self._control, other = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_fork_on_demand, args=(other,), daemon=True)
        self._process.start()
        other.close()

    def one(self, path: Path) -> tuple[Connection, int]:
        ours, theirs = _SPAWN.Pipe()
        self._control.send((path, theirs))
        pid: int = self._control.recv()
        theirs.close()
        return ours, pid


@cache
def _forks() -> _Forks:
    return _Forks()


def _fork_on_demand(control: Connection) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
    with suppress(EOFError):
        while True:
            path, connection = control.recv()
            pid = os.fork()
            if pid == 0:
                control.close()
                try:
                    _serve(path, connection)
                except BaseException:  # noqa: BLE001  nobody else would tell of it
                    traceback.print_exc()
                os._exit(0)
            connection.close()
            control.send(pid)


class _Dying:
    """A Tx that kills its process at a statement."""

    def __init__(self, tx: Tx, statement: int) -> None:
        self._tx = tx
        self._left = statement

    def execute(self, sql: str, params: Mapping[str, Value] = {}) -> Rows:
        self._count()
        return self._tx.execute(sql, params)

    def executemany(self, sql: str, params: Iterable[Mapping[str, Value]]) -> Rows:
        self._count()
        return self._tx.executemany(sql, params)

    def _count(self) -> None:
        if self._left == 0:
            _die()
        self._left -= 1


def dump(tx: Tx) -> tuple[list[Any], list[Any]]:
    """Return what a model is to agree with, of every job and every attempt."""
    jobs = tx.execute(
        """
        SELECT id, status, attempt_count, lease, claimed_by, node_id, available_at, rank,
               cancel_requested_at, finished_at, payload_file, lane IS NOT NULL
        FROM job_queue
        """
    ).fetchall()
    attempts = tx.execute(
        """
        SELECT lease, job_id, attempt, worker_id, node_id, resource_class, claim_id, heard,
               expires_ms, started_ms, progress_ms, ended_at, outcome, reply_status, reply_count,
               digest, saved
        FROM job_attempts
        """
    ).fetchall()
    return jobs, attempts


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "dump": dump,
    **{name: getattr(store, name) for name in store.__all__ if name.islower()},
}


def _serve(path: Path, connection: Connection) -> None:
    writer = SqliteEngine(path).open_writer()
    # No power is cut here, and what a killed process wrote stays.
    writer.execute("PRAGMA synchronous = OFF").fetchall()
    with suppress(EOFError, BrokenPipeError):
        while True:
            unit, death = connection.recv()
            writer.begin_write()
            writer.savepoint()
            try:
                answer = _answer(writer, unit, death)
            except Exception as error:  # noqa: BLE001  the parent raises it
                connection.send(error)
                return
            if answer.refusal is None:
                writer.release_savepoint()
            else:
                writer.rollback_to_savepoint()
            if death is not None and not death.is_committed:
                _die()
            writer.commit()
            if death is not None:
                _die()
            connection.send(answer)


def _answer(tx: Tx, unit: Unit, death: Death | None) -> Answer:
    if death is not None and death.statement is not None:
        tx = _Dying(tx, death.statement)
    arguments = list(unit.arguments)
    if unit.draw is not None:
        drawn = unit.draw
        arguments.append(lambda: drawn)
    try:
        return Answer(_FUNCTIONS[unit.name](tx, *arguments))
    except RefusedError as error:
        return Answer(refusal=error.code)
    except NoSuchJobError:
        return Answer(refusal="no_such_job")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
