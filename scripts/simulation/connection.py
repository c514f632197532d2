"""One keep-alive connection to the collector, with one request on it at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import cast

from scripts.simulation import reply
from scripts.simulation.agents import Push
from scripts.simulation.reply import GarbledReplyError, Reply


class Connection(asyncio.Protocol):
    """``on_reply`` is called with each reply, ``on_lost`` once, with the reason.

    ``push``: what waits for its reply, None while the connection is idle.
    """

    def __init__(
        self,
        on_reply: Callable[[Connection, Reply], None],
        on_lost: Callable[[Connection, str], None],
    ) -> None:
        self._on_reply = on_reply
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._fault = ""
        self.push: Push | None = None
        self.used_at = time.monotonic()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, push: Push, request: bytes) -> None:
        if self._transport is None:
            return
        self.push = push
        self.used_at = time.monotonic()
        self._transport.write(request)

    def close(self, fault: str = "") -> None:
        self._fault = self._fault or fault
        if self._transport is not None:
            self._transport.abort()

    # --- called by the event loop ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        try:
            answer = reply.parse(received)
            if answer is not None and self.push is None:
                raise GarbledReplyError("a reply that nobody asked for")  # noqa: TRY301
        except GarbledReplyError as error:
            self.close(f"garbled: {error}")
            return
        if answer is None:
            self._received = received
            return
        self._received = b""
        self._on_reply(self, answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._on_lost(self, self._fault or f"connection lost: {exc or 'closed by the collector'}")
