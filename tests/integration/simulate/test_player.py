"""The player against collectors that are not well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from scripts.simulation.agents import Agent
from scripts.simulation.dialer import Dialer
from scripts.simulation.figures import Noise
from scripts.simulation.machines import fleet
from scripts.simulation.player import Player
from scripts.simulation.schedule import Schedule
from scripts.simulation.tally import Tally

Answer = Callable[[bytes], Awaitable[bytes]]

STORED = b'{"accepted":1,"duplicates":0,"rejected":[],"interval_s":5}'


DUPLICATE = b'{"accepted":0,"duplicates":1,"rejected":[],"interval_s":5}'


def reply(status: bytes, body: bytes, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), more, body)


@asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[int]:
    """A server that reads whole requests and answers each with ``answer``'s bytes; b'' hangs up."""
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        try:
            while (request := await whole_request(reader)) and (sent := await answer(request)):
                writer.write(sent)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*(task for task in serving if task))


async def whole_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head + await reader.readexactly(length)


async def play(
    port: int,
    *,
    nodes: int = 4,
    seconds: float = 0.5,
    timeout_s: float = 5,
    connections: int | None = 8,
) -> tuple[Tally, Dialer]:
    url = urlsplit(f"http://127.0.0.1:{port}")
    noise = Noise(1)
    agents = [Agent(machine, "forge_x_y", url, 5, noise) for machine in fleet(nodes)]
    dialer = Dialer(url)
    schedule = Schedule([index / nodes for index in range(nodes)], 0.25)
    player = Player(agents, schedule, dialer, connections=connections, timeout_s=timeout_s)
    await player.play(seconds, asyncio.Event())
    return player.tally, dialer


async def test_all_is_well_over_one_connection() -> None:
    async def answer(_request: bytes) -> bytes:
        return reply(b"200 OK", STORED)

    async with listening(answer) as port:
        tally, dialer = await play(port, connections=1)
    assert not tally.errors
    assert tally.sent == tally.acknowledged == 8
    assert dialer.opened == 1


async def test_each_node_has_its_own_connection_when_asked() -> None:
    async def answer(_request: bytes) -> bytes:
        return reply(b"200 OK", STORED)

    async with listening(answer) as port:
        tally, dialer = await play(port, connections=None)
    assert not tally.errors
    assert dialer.opened == 4


async def test_the_hosts_facts_go_along_until_they_are_acknowledged() -> None:
    bodies: list[bytes] = []

    async def answer(request: bytes) -> bytes:
        bodies.append(request)
        return reply(b"503 Busy", b"{}") if len(bodies) == 1 else reply(b"200 OK", STORED)

    async with listening(answer) as port:
        await play(port, nodes=1)
    assert [b'"host":' in body for body in bodies] == [True, True]


async def test_a_problem_is_counted_by_its_code() -> None:
    async def answer(_request: bytes) -> bytes:
        body = (
            b'{"type":"t","title":"t","status":401,"code":"unauthenticated",'
            b'"detail":"This bearer token is unknown."}'
        )
        return reply(b"401 Unauthorized", body)

    async with listening(answer) as port:
        tally, _ = await play(port)
    assert tally.errors == {"status 401 unauthenticated": 8}
    assert tally.examples["status 401 unauthenticated"] == "This bearer token is unknown."


async def test_what_was_not_stored_is_no_success() -> None:
    async def answer(_request: bytes) -> bytes:
        return reply(b"200 OK", DUPLICATE)

    async with listening(answer) as port:
        tally, _ = await play(port)
    assert tally.errors == {"duplicate": 8}


@pytest.mark.parametrize(
    ("answered", "kind"), [(b"", "connection lost"), (b"220 ready\r\n\r\n", "garbled")]
)
async def test_nonsense_and_hanging_up_are_counted(answered: bytes, kind: str) -> None:
    async def answer(_request: bytes) -> bytes:
        return answered

    async with listening(answer) as port:
        tally, _ = await play(port)
    assert tally.errors == {kind: 8}


async def test_a_reply_that_closes_is_followed_by_a_new_connection() -> None:
    async def answer(_request: bytes) -> bytes:
        return reply(b"200 OK", STORED, b"Connection: close\r\n")

    async with listening(answer) as port:
        tally, dialer = await play(port)
    assert not tally.errors
    assert dialer.opened == tally.acknowledged == 8


async def test_no_reply_is_a_timeout_and_nobody_sends_twice_at_once() -> None:
    over = asyncio.Event()

    async def answer(_request: bytes) -> bytes:
        await over.wait()
        return b""

    async with listening(answer) as port:
        tally, _ = await play(port, nodes=2, seconds=1, timeout_s=0.6, connections=1)
        over.set()
    # One connection: the second node's push waits for it, and times out in its turn.
    assert tally.acknowledged == 0
    assert tally.errors["timeout"] >= 2
    assert tally.errors["due before the last one had its reply, not sent"] >= 2
    assert tally.failed == 8


async def test_a_collector_that_is_away_is_tried_ever_more_slowly() -> None:
    async with listening(lambda _request: asyncio.sleep(0, b"")) as port:
        pass  # the port was free, and is again
    tally, dialer = await play(port, nodes=50, seconds=1)
    assert dialer.opened == 0
    assert tally.errors == {"unreachable": 200}
    assert tally.sent == 0
