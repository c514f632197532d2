"""Bounds on connections: how many one address may hold, and how long a first request may take."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from aiohttp import web

HEAD_TIMEOUT_S: Final = 30.0


class ConnectionBounds:
    """Watches a server's connections from accept to close.

    ``per_address``: connections beyond this many from one address are closed as they are accepted.
    Loopback is exempt: a proxy in front speaks for everybody.
    """

    def __init__(self, server: web.Server, per_address: int) -> None:
        self._per_address = per_address
        self._open_by_address: Counter[str] = Counter()
        self._address_of: dict[web.RequestHandler, str] = {}
        self._headless: dict[object, asyncio.TimerHandle] = {}
        self._made = server.connection_made
        self._lost = server.connection_lost
        self._serve = server.request_handler
        # aiohttp offers no hook for an accepted connection, and its runner makes the server itself.
        server.connection_made = self._connection_made  # type: ignore[method-assign]
        server.connection_lost = self._connection_lost  # type: ignore[method-assign]
        server.request_handler = self._request_handler

    def _connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        self._made(handler, transport)
        loop = asyncio.get_running_loop()
        address = _bounded_address(transport)
        if address is not None:
            if self._open_by_address[address] >= self._per_address:
                # Not at once: aiohttp's handler must have begun, or it fails and logs a traceback.
                loop.call_soon(transport.abort)
                return
            self._open_by_address[address] += 1
            self._address_of[handler] = address
        # aiohttp's keep-alive timeout bounds later heads, but not the first.
        self._headless[handler] = loop.call_later(HEAD_TIMEOUT_S, transport.abort)

    def _connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        self._lost(handler, exc)
        self._stop_waiting_for_head(handler)
        address = self._address_of.pop(handler, None)
        if address is not None:
            self._open_by_address[address] -= 1
            if not self._open_by_address[address]:
                del self._open_by_address[address]

    async def _request_handler(self, request: web.BaseRequest) -> web.StreamResponse:
        self._stop_waiting_for_head(request.protocol)
        return await self._serve(request)

    def _stop_waiting_for_head(self, handler: object) -> None:
        if (timer := self._headless.pop(handler, None)) is not None:
            timer.cancel()


def _bounded_address(transport: asyncio.Transport) -> str | None:
    peer = transport.get_extra_info("peername")
    address = str(peer[0]) if isinstance(peer, tuple) else ""
    if not address or address == "::1" or address.startswith(("127.", "::ffff:127.")):
        return None
    return address
