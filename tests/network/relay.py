"""Carries connections on, each way with a delay: python relay.py LISTEN TO [DELAY_MS].

LISTEN and TO: ``HOST:PORT``, or the path of a Unix socket, by which a process outside of a network
namespace speaks to what listens within.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable

_PART = 65_536


async def main(listen: str, target: str, delay_s: float) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await _open(target)
        except OSError:
            writer.close()
            return
        ways = (_carry(reader, there[1], delay_s), _carry(there[0], writer, delay_s))
        await asyncio.gather(*ways)

    server = await _server(serve, listen)
    async with server:
        print("listening", flush=True)  # noqa: T201  whoever started it waits for this
        await server.serve_forever()


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float
) -> None:
    """Carry what comes, each part a delay after it came, whatever follows it meanwhile."""
    loop = asyncio.get_running_loop()
    parts: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def write() -> None:
        while True:
            due, part = await parts.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not part:
                return
            writer.write(part)
            await writer.drain()

    async def read() -> None:
        part = b"-"
        while part:
            try:
                part = await reader.read(_PART)
            except OSError:
                part = b""
            parts.put_nowait((loop.time() + delay_s, part))

    with contextlib.suppress(OSError):
        await asyncio.gather(read(), write())
    writer.close()


async def _open(target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if target.startswith("/"):
        return await asyncio.open_unix_connection(target)
    host, _, port = target.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def _server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], listen: str
) -> asyncio.Server:
    if listen.startswith("/"):
        return await asyncio.start_unix_server(serve, listen)
    host, _, port = listen.rpartition(":")
    return await asyncio.start_server(serve, host, int(port))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float((sys.argv[3:] or ["0"])[0]) / 1000))
