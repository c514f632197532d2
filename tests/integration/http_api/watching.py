"""A browser's side of the fleet stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp

from forge_shared.messages import FleetFrame
from tests.integration.http_api.running import PATIENCE_S, Headers, Server
from tests.unit.fleet.frames import Event, read_event

PATH = "/api/fleet/events"


class Watcher:
    """An open stream, read event by event."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._buffer = b""

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    async def block(self) -> bytes:
        """Return the next block of lines: an event, a comment or a setting."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                # The page's own reader takes any line end; this takes the two that are sent.
                self._buffer = self._buffer.replace(b"\r\n", b"\n")
                block, end, rest = self._buffer.partition(b"\n\n")
                if end:
                    self._buffer = rest
                    return block
                chunk = await self._response.content.readany()
                if not chunk:
                    raise EOFError
                self._buffer += chunk

    async def event(self) -> Event:
        while not (block := await self.block()).startswith(b"id: "):
            assert block.startswith((b"retry: ", b": ")), block
        return read_event(block + b"\n\n")

    async def frame(self) -> FleetFrame:
        return (await self.event()).frame

    async def until_seq(self, node_id: str, cpu: float) -> FleetFrame:
        """Read frames until one shows the node with this CPU."""
        while True:
            frame = await self.frame()
            for card in frame.nodes:
                if card.id == node_id and card.values.get("cpu.pct") == cpu:
                    return frame

    async def ended(self) -> bool:
        """Read to the end; True when there is one."""
        try:
            while True:
                await self.block()
        except (EOFError, aiohttp.ClientPayloadError):
            return True


@asynccontextmanager
async def watching(server: Server, headers: Headers) -> AsyncIterator[Watcher]:
    timeout = aiohttp.ClientTimeout(total=None)
    async with server.session.get(server.url + PATH, headers=headers, timeout=timeout) as response:
        assert response.status == 200
        yield Watcher(response)
