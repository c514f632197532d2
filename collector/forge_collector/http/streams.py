"""Server-sent events: open streams that end when their credential does, or the collector."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web
from aiohttp_sse import EventSourceResponse

from forge_collector.http.auth import Principal

_HEARTBEAT_S: Final = 15.0
_STALLED_S: Final = 60.0
_RETRY_MS: Final = 2000


def event(name: str, event_id: str, data: bytes) -> bytes:
    """Return one encoded event (WHATWG HTML, section 9.2). ``data`` holds no line break."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event_id.encode(), name.encode(), data)


class Streams:
    """Every open stream, by the credential it was opened with."""

    def __init__(self) -> None:
        self._tasks: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)

    def __len__(self) -> int:
        return sum(len(tasks) for tasks in self._tasks.values())

    async def serve(
        self, request: web.Request, principal: Principal, frames: AsyncIterator[bytes]
    ) -> web.StreamResponse:
        """Write frames as they come, until they end, the client leaves, or ``close`` is called.

        A frame is asked for only once the one before it is on its way: a slow client skips
        frames, it never queues them.
        """
        response = EventSourceResponse(
            headers={"Cache-Control": "no-cache, no-transform"},
            ping_interval=_HEARTBEAT_S,
            send_timeout=_STALLED_S,
        )
        await response.prepare(request)
        async with response, asyncio.TaskGroup() as group:
            writer = group.create_task(_write(response, frames))
            self._tasks[principal.credential_id].add(writer)
            writer.add_done_callback(lambda _: response.stop_streaming())
            # Ends with the writer, or when a heartbeat finds that the client has left.
            await response.wait()
            writer.cancel()
        self._forget(principal.credential_id, writer)
        return response

    def close(self, credential_id: str) -> None:
        """End the streams of a credential that was revoked or has expired."""
        for task in self._tasks.get(credential_id, ()):
            task.cancel()

    def close_all(self) -> None:
        for credential_id in list(self._tasks):
            self.close(credential_id)

    def _forget(self, credential_id: str, task: asyncio.Task[None]) -> None:
        tasks = self._tasks[credential_id]
        tasks.discard(task)
        if not tasks:
            del self._tasks[credential_id]


async def _write(response: EventSourceResponse, frames: AsyncIterator[bytes]) -> None:
    await response.write(b"retry: %d\n\n" % _RETRY_MS)
    async for frame in frames:
        try:
            async with asyncio.timeout(_STALLED_S):
                await response.write(frame)
        except (ConnectionResetError, TimeoutError):
            return
