"""One node's stream over a real socket: who may watch, what it is told, and when it ends."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from forge_collector.http import streams
from forge_shared.messages import IngestReply, Point
from tests.integration.http_api.running import (
    ADMIN,
    BOOT_2,
    Headers,
    Server,
    bearer,
    running,
    until,
)
from tests.integration.http_api.watching import Watcher
from tests.unit.fleet.frames import read_snapshot
from tests.unit.fleet.manual_clock import ManualClock

PATH = "/api/nodes/n1/events"


@pytest.fixture
def watched(server: Server) -> Iterator[Server]:
    yield server
    gc.collect()  # a generator left behind would warn now, not in another test


class NodeWatcher(Watcher):
    """The same of one node's stream."""

    async def point(self) -> Point:
        while not (block := await self.block()).startswith(b"event: "):
            assert block.startswith((b"retry: ", b": ")), block
        return read_snapshot(block + b"\n\n")


@asynccontextmanager
async def watching(server: Server, headers: Headers = ADMIN) -> AsyncIterator[NodeWatcher]:
    timeout = aiohttp.ClientTimeout(total=None)
    async with server.session.get(server.url + PATH, headers=headers, timeout=timeout) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        yield NodeWatcher(response)


async def asked_for(server: Server, token: Headers, seq: int, node_id: str = "n1") -> int:
    """Push, and return the interval that the reply names."""
    answer = await server.push(token, seq, node_id=node_id, values={"cpu.pct": seq})
    assert answer.status == 200
    return answer.as_(IngestReply).interval_s


async def figure(server: Server, name: str) -> float:
    """Return one of the collector's own figures."""
    lines = (await server.get("/metrics")).body.decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


async def test_a_node_is_asked_for_every_second_while_it_is_watched(watched: Server) -> None:
    token, other = await watched.node(), await watched.node("n2")
    assert await asked_for(watched, token, 0) == 5
    async with watching(watched) as watcher:
        assert (await watcher.point()).values == {"cpu.pct": 0}
        assert await asked_for(watched, token, 1) == 1
        assert await asked_for(watched, other, 0, "n2") == 5
        replay = await watched.replay(token, [watched.line(7)])
        assert replay.as_(IngestReply).interval_s == 1
        async with watching(watched) as second:
            await second.point()
            assert await figure(watched, "forge_nodes_watched") == 1
            assert await figure(watched, "forge_streams") == 2
        assert await asked_for(watched, token, 2) == 1
    # Nobody is told that a viewer left; writing to one shows it. So it takes a push or two.
    seqs = itertools.count(3)

    async def is_left_alone() -> bool:
        return await asked_for(watched, token, next(seqs)) == 5

    await until(is_left_alone)
    assert next(seqs) < 10
    assert await figure(watched, "forge_nodes_watched") == 0


async def test_each_live_snapshot_is_told_whole_and_a_replay_is_not(watched: Server) -> None:
    token = await watched.node()
    await watched.push(token, 0)
    async with watching(watched) as watcher:
        await watcher.point()
        values = {"cpu.pct": 1.5, 'disk.pct//"ö"': 3, "new.thing/\\n": 7}
        await watched.replay(token, [watched.line(seq) for seq in range(1, 5)])
        await watched.push(token, 5, ts=watched.clock.now_ms() + 17, values=values)
        assert await watcher.point() == Point(watched.clock.now_ms() + 17, values)


async def test_times_agree_with_the_history(watched: Server) -> None:
    """Of a machine whose clock is an hour behind."""
    token, now_ms = await watched.node(), watched.clock.now_ms()
    behind = {"Forge-Sent-At": str(now_ms - 3_600_000)}
    await watched.push(token, 0, ts=now_ms - 3_600_000, headers=behind)
    async with watching(watched) as watcher:
        assert (await watcher.point()).ts == now_ms
        await watched.push(token, 1, ts=now_ms - 3_599_000, headers=behind)
        assert (await watcher.point()).ts == now_ms + 1_000


async def test_a_restarted_agent_is_watched_on(watched: Server) -> None:
    token = await watched.node()
    await watched.push(token, 90)
    async with watching(watched) as watcher:
        await watcher.point()
        await watched.push(token, 0, boot_id=BOOT_2, values={"cpu.pct": 1})
        assert (await watcher.point()).values == {"cpu.pct": 1}


async def test_an_unknown_node_cannot_be_watched(watched: Server) -> None:
    await watched.node()
    (await watched.get(PATH)).problem("not_found")
    (await watched.get("/api/nodes/%00/events")).problem("not_found")
    assert watched.collector.live.count_watched() == 0


async def test_a_forgotten_nodes_stream_ends(watched: Server) -> None:
    await watched.push(await watched.node())
    async with watching(watched) as watcher:
        await watcher.point()
        await watched.call("DELETE", "/api/nodes/n1", ADMIN)
        async with asyncio.timeout(1.0):
            assert await watcher.ended()
    (await watched.get(PATH)).problem("not_found")
    assert watched.collector.live.count_watched() == 0


async def test_a_revoked_tokens_stream_ends_and_with_it_the_watching(watched: Server) -> None:
    node, token = await watched.node(), await watched.mint(role="viewer", name="Ann")
    await watched.push(node)
    async with watching(watched, bearer(token.token)) as watcher:
        await watcher.point()
        await watched.call("DELETE", f"/api/tokens/{token.id}", ADMIN)
        async with asyncio.timeout(1.0):
            assert await watcher.ended()
        assert await asked_for(watched, node, 1) == 5


async def test_a_watcher_that_left_without_a_word_is_noticed(
    watched: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_HEARTBEAT_S", 0.05)
    token = await watched.node()
    await watched.push(token)
    _, writer = await asyncio.open_connection("127.0.0.1", watched.collector.port)
    head = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {ADMIN['Authorization']}"
    writer.write(f"{head}\r\n\r\n".encode())
    await until(lambda: watched.collector.live.count_watched() == 1)
    assert await asked_for(watched, token, 1) == 1
    writer.transport.abort()
    await until(lambda: watched.collector.live.count_watched() == 0)
    assert await asked_for(watched, token, 2) == 5


async def test_a_collector_that_starts_again_knows_what_to_tell_and_forgets_who_watched(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with running(tmp_path, clock) as server:
        token = await server.node()
        await server.push(token, 0, values={"cpu.pct": 42})
        async with watching(server) as watcher:
            await watcher.point()
            await server.stop()
            assert await watcher.ended()
    async with running(tmp_path, clock) as server:
        assert await asked_for(server, token, 0) == 5
        async with watching(server) as watcher:
            assert await watcher.point() == Point(clock.now_ms(), {"cpu.pct": 42})
            assert await asked_for(server, token, 1) == 1
