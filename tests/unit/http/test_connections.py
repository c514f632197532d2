"""How many connections one address may hold."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from forge_collector.http.connections import ConnectionBounds

PER_ADDRESS = 2
FAR, FARTHER = "192.0.2.1", "2001:db8::1"


class Connection(asyncio.Transport):
    """A connection from any address, as the event loop would hand it to the server."""

    def __init__(self, server: web.Server, address: str | None) -> None:
        super().__init__({"peername": "" if address is None else (address, 40_000)})
        self._handler = server()
        self._is_closing = False
        self._handler.connection_made(self)

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            asyncio.get_running_loop().call_soon(self._handler.connection_lost, None)


async def closing(*connections: Connection) -> list[bool]:
    """Let the event loop tell the server of what closed; return which connections are closed."""
    for _ in range(3):
        await asyncio.sleep(0)
    return [connection.is_closing() for connection in connections]


async def answer(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response()


@pytest.fixture
async def server() -> AsyncIterator[web.Server]:
    """A bounded server; what goes wrong in it unseen fails the test."""
    unseen: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: unseen.append(what))
    served = web.Server(answer)
    ConnectionBounds(served, PER_ADDRESS)
    yield served
    for handler in served.connections:
        assert handler.transport is not None
        handler.transport.close()
    await closing()
    gc.collect()  # of a task that nobody awaits, the error is told when it is collected
    assert unseen == []


@pytest.mark.parametrize("address", [FAR, FARTHER])
async def test_an_address_may_hold_so_many_and_no_more(server: web.Server, address: str) -> None:
    connections = [Connection(server, address) for _ in range(PER_ADDRESS + 2)]
    assert await closing(*connections) == [False, False, True, True]


async def test_addresses_have_their_own_share(server: web.Server) -> None:
    held = [Connection(server, FAR) for _ in range(PER_ADDRESS)]
    others = [Connection(server, FARTHER) for _ in range(PER_ADDRESS)]
    assert not any(await closing(*held, *others))


async def test_a_place_is_free_again_once_its_connection_closed(server: web.Server) -> None:
    held = [Connection(server, FAR) for _ in range(PER_ADDRESS)]
    for _ in range(3):
        held.pop().close()
        await closing()
        held.append(Connection(server, FAR))
        assert not any(await closing(*held))


async def test_what_was_refused_frees_no_place(server: web.Server) -> None:
    held = [Connection(server, FAR) for _ in range(PER_ADDRESS)]
    for _ in range(3):
        refused = Connection(server, FAR)
        assert await closing(*held, refused) == [False, False, True]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "", None])
async def test_loopback_is_not_counted(server: web.Server, address: str | None) -> None:
    connections = [Connection(server, address) for _ in range(PER_ADDRESS * 5)]
    assert not any(await closing(*connections))


async def test_nothing_is_kept_of_connections_that_are_gone() -> None:
    server = web.Server(answer)
    bounds = ConnectionBounds(server, PER_ADDRESS)
    for address in (FAR, FAR, FAR, FARTHER, "127.0.0.1"):
        Connection(server, address).close()
    await closing()
    assert (bounds._open_by_address, bounds._address_of, bounds._headless) == ({}, {}, {})
