"""Connections that pushes share, as many as are in use at once, up to a limit.

A pool of one is an agent's own connection.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from scripts.simulation.agents import Push
from scripts.simulation.connection import Connection

_LONGEST_IDLE_S: Final = 60.0  # below the 75 s after which the collector closes

Connect = Callable[[], Connection]


class UnreachableError(Exception):
    """The collector cannot be connected to."""


class Dials(Protocol):
    async def open(self, connect: Connect) -> Connection: ...


class Sender(Protocol):
    """What a pool is for: it sends over the pool's connections, and hears of what it could not."""

    def connect(self, pool: Pool) -> Connection: ...

    def send(self, connection: Connection, push: Push) -> None: ...

    def unreachable(self, push: Push, reason: str) -> None: ...


class Pool:
    def __init__(self, dialer: Dials, sender: Sender, limit: int) -> None:
        self._dialer = dialer
        self._sender = sender
        self._limit = limit
        self._idle: list[Connection] = []
        self._waiting: deque[Push] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._open = 0

    def submit(self, push: Push) -> None:
        """Send the push, now or when a connection is free."""
        connection = self._take_idle()
        if connection is not None:
            self._sender.send(connection, push)
            return
        self._waiting.append(push)
        self._grow()

    def give_back(self, connection: Connection) -> None:
        if self._waiting:
            self._sender.send(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        self._grow()

    def drop_waiting(self) -> list[Push]:
        """Return what was never sent, and forget it."""
        dropped = list(self._waiting)
        self._waiting.clear()
        return dropped

    async def close(self) -> None:
        self._waiting.clear()
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in self._idle:
            connection.close()

    def _take_idle(self) -> Connection | None:
        oldest_use = time.monotonic() - _LONGEST_IDLE_S
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.used_at > oldest_use:
                return connection
            connection.close()
        return None

    def _grow(self) -> None:
        opening = len(self._opening)
        if opening < len(self._waiting) and self._open + opening < self._limit:
            task = asyncio.get_running_loop().create_task(self._add_connection())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _add_connection(self) -> None:
        try:
            connection = await self._dialer.open(lambda: self._sender.connect(self))
        except UnreachableError as error:
            if not self._open:  # nobody is left who could send them
                for push in self.drop_waiting():
                    self._sender.unreachable(push, str(error))
            return
        self._open += 1
        self.give_back(connection)
