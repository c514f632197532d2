"""Server-sent events: open streams that end when their credential does, or the collector."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web
from aiohttp_sse import EventSourceResponse

from forge_collector.http.auth import Principal
from forge_collector.http.problems import ProblemError

_HEARTBEAT_S: Final = 15.0
_STALLED_S: Final = 60.0
_RETRY_MS: Final = 2000


def event(name: str, data: bytes, event_id: str | None = None) -> bytes:
    """Return one encoded event (WHATWG HTML, section 9.2). ``data`` holds no line break."""
    encoded = b"event: %b\ndata: %b\n\n" % (name.encode(), data)
    return encoded if event_id is None else b"id: %b\n%b" % (event_id.encode(), encoded)


class Streams:
    """Every open stream, by the credential it was opened with."""

    def __init__(self) -> None:
        self._tasks: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self._is_closed = False

    def __len__(self) -> int:
        return sum(len(tasks) for tasks in self._tasks.values())

    async def serve(
        self, request: web.Request, principal: Principal, frames: AsyncIterator[bytes]
    ) -> web.StreamResponse:
        """Write frames as they come, until they end, the client leaves, or ``close`` is called.

        A frame is asked for only once the one before it is on its way: a slow client skips
        frames, it never queues them.
        """
        if self._is_closed:
            raise ProblemError("not_ready", "The collector is stopping.")
        response = EventSourceResponse(
            ping_interval=_HEARTBEAT_S,
            send_timeout=_STALLED_S,
        )
        # Set here, because aiohttp-sse overwrites what its constructor is given. A proxy that
        # compresses (transforms) a stream holds frames back.
        response.headers["Cache-Control"] = "no-cache, no-transform"
        try:
            await response.prepare(request)
        except ConnectionResetError:  # the client left before it was answered
            return response
        async with response, asyncio.TaskGroup() as group:
            writer = group.create_task(_write(request, response, frames))
            self._tasks[principal.credential_id].add(writer)
            writer.add_done_callback(lambda _: response.stop_streaming())
            try:
                # Ends with the writer, or when a heartbeat finds that the client has left.
                await response.wait()
            finally:
                writer.cancel()
                self._forget(principal.credential_id, writer)
        return response

    def close(self, credential_id: str) -> None:
        """End the streams of a credential that was revoked or has expired."""
        for task in self._tasks.get(credential_id, ()):
            task.cancel()

    def close_all(self) -> None:
        """End every stream, and let no other begin."""
        self._is_closed = True
        for credential_id in list(self._tasks):
            self.close(credential_id)

    def _forget(self, credential_id: str, task: asyncio.Task[None]) -> None:
        tasks = self._tasks[credential_id]
        tasks.discard(task)
        if not tasks:
            del self._tasks[credential_id]


async def _write(
    request: web.Request, response: EventSourceResponse, frames: AsyncIterator[bytes]
) -> None:
    await response.write(b"retry: %d\n\n" % _RETRY_MS)
    async for frame in frames:
        try:
            async with asyncio.timeout(_STALLED_S):
                await response.write(frame)
        except ConnectionResetError:
            return
        except TimeoutError:
            # It reads nothing: a polite end would wait for it as well.
            if request.transport is not None:
                request.transport.abort()
            return
