"""The fleet stream over a real socket: prompt for many, patient with the slow, closed in time."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from forge_collector.access.rules import SESSION_LIFETIME_MS
from forge_collector.http import streams
from forge_shared import identity
from tests.integration.http_api.running import (
    ADMIN,
    ADMIN_SECRET,
    Server,
    bearer,
    running,
    until,
)
from tests.integration.http_api.watching import PATH, watching
from tests.unit.fleet.feeding import Feed
from tests.unit.fleet.manual_clock import ManualClock

WIDE = 400


@pytest.fixture
def watched(server: Server) -> Iterator[Server]:
    yield server
    gc.collect()  # a generator left behind would warn now, not in another test


async def pushing(server: Server, node_id: str = "n1") -> AsyncIterator[int]:
    """Push once for each step; yields the cpu.pct that was pushed."""
    token = await server.node(node_id)
    seq = 0
    while True:
        answer = await server.push(token, seq, node_id=node_id, values={"cpu.pct": seq})
        assert answer.status == 200
        yield seq
        seq += 1


async def test_the_headers_of_a_stream(watched: Server) -> None:
    async with watching(watched, ADMIN) as watcher:
        assert watcher.headers["Content-Type"] == "text/event-stream"
        assert "no-transform" in watcher.headers["Cache-Control"]
        assert watcher.headers["X-Accel-Buffering"] == "no"
        assert watcher.headers["X-Content-Type-Options"] == "nosniff"
        assert "Content-Encoding" not in watcher.headers
        assert (await watcher.block()).startswith(b"retry: ")


async def test_one_full_frame_then_what_changes(watched: Server) -> None:
    other, pushes = pushing(watched, "n2"), pushing(watched)
    await anext(other)
    await anext(pushes)
    await until(lambda: watched.collector.live._version > 0)
    async with watching(watched, ADMIN) as watcher:
        full = await watcher.frame()
        assert full.full
        assert {card.id for card in full.nodes} == {"n1", "n2"}
        cpu = await anext(pushes)
        delta = await watcher.until_seq("n1", cpu)
        assert not delta.full
        assert [card.id for card in delta.nodes] == ["n1"]
        assert delta.nodes[0].facts is None


async def test_a_stream_goes_on_where_it_was(watched: Server) -> None:
    pushes = pushing(watched)
    await anext(pushes)
    await until(lambda: watched.collector.live._version > 0)
    async with watching(watched, ADMIN) as watcher:
        event_id = (await watcher.event()).id
    await anext(pushes)
    async with watching(watched, {**ADMIN, "Last-Event-ID": event_id}) as watcher:
        assert not (await watcher.frame()).full
    async with watching(watched, {**ADMIN, "Last-Event-ID": "0.0"}) as watcher:
        assert (await watcher.frame()).full


@pytest.mark.parametrize("event_id", ["x", "9" * 6000, "\udcff", "-1.-1", "{epoch}.99999999999"])
async def test_an_odd_event_id_begins_anew(watched: Server, event_id: str) -> None:
    event_id = event_id.replace("{epoch}", watched.collector.live._epoch)
    async with watching(watched, {**ADMIN, "Last-Event-ID": event_id}) as watcher:
        assert (await watcher.frame()).full


async def test_edits_and_goodbyes_are_streamed(watched: Server) -> None:
    await anext(pushing(watched))
    async with watching(watched, ADMIN) as watcher:
        await watcher.frame()
        await watched.call("PATCH", "/api/nodes/n1", ADMIN, json={"name": "nas"})
        names: set[str] = set()
        while "nas" not in names:
            names = {card.facts.name for card in (await watcher.frame()).nodes if card.facts}
        await watched.call("DELETE", "/api/nodes/n1", ADMIN)
        while (await watcher.frame()).gone != ["n1"]:
            pass


async def test_a_quiet_stream_has_a_heartbeat(
    watched: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_HEARTBEAT_S", 0.05)
    async with watching(watched, ADMIN) as watcher:
        blocks = [await watcher.block() for _ in range(5)]
    assert sum(block.startswith(b":") for block in blocks) >= 3


async def test_a_client_that_left_is_noticed(
    watched: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_HEARTBEAT_S", 0.05)
    async with watching(watched, ADMIN) as watcher:
        await watcher.frame()
        assert len(watched.collector.streams) == 1
    await until(lambda: len(watched.collector.streams) == 0)


async def test_20_clients_see_a_push_within_a_second(watched: Server) -> None:
    pushes = pushing(watched)
    await anext(pushes)
    async with AsyncExitStack() as stack:
        watchers = [await stack.enter_async_context(watching(watched, ADMIN)) for _ in range(20)]
        for watcher in watchers:
            await watcher.frame()
        for _ in range(3):
            cpu = await anext(pushes)
            async with asyncio.timeout(1.0):
                await asyncio.gather(*(watcher.until_seq("n1", cpu) for watcher in watchers))


async def test_clients_that_do_not_read_hold_nobody_up_and_nothing_back(watched: Server) -> None:
    """What a stalled client misses is merged when it reads again, never queued."""
    await push_wide_fleet(watched, 0)
    stalled = [await stalled_client(watched) for _ in range(5)]
    try:
        async with watching(watched, ADMIN) as watcher:
            await watcher.frame()
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for round_ in range(1, 41):
                await push_wide_fleet(watched, round_)
                watched.collector.live.publish()
                started = time.monotonic()
                while len((await watcher.frame()).nodes) < WIDE:
                    pass
                assert time.monotonic() - started < 1.0
            grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
        assert grown_mib < 48
    finally:
        for client in stalled:
            client.close()


async def push_wide_fleet(server: Server, seq: int) -> None:
    """Change many cards at once, past HTTP: this is about what goes out."""
    feed = Feed(server.collector.live, server.clock)
    for number in range(WIDE):
        feed.push(f"node-{number:04}", seq, boot=seq + 1, cpu=float(seq))


async def stalled_client(server: Server) -> socket.socket:
    """Return a client that asked for the stream with a tiny window, and never reads."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", server.collector.port))
    head = (
        f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {ADMIN['Authorization']}\r\n\r\n"
    )
    await loop.sock_sendall(client, head.encode())
    return client


async def test_a_client_that_stalls_for_good_is_let_go(
    watched: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_STALLED_S", 0.3)
    client = await stalled_client(watched)
    try:
        await until(lambda: len(watched.collector.streams) == 1)

        def let_go() -> bool:
            live = watched.collector.live
            for node in list(live._nodes.values()):
                live._touch_facts(node)
            live.publish()
            return len(watched.collector.streams) == 0

        await push_wide_fleet(watched, 0)
        await until(let_go)
    finally:
        client.close()


async def test_a_revoked_tokens_streams_end_within_a_second(watched: Server) -> None:
    token, other = await watched.mint(role="viewer", name="Ann"), await watched.viewer()
    async with (
        watching(watched, bearer(token.token)) as first,
        watching(watched, bearer(token.token)) as second,
        watching(watched, other) as third,
    ):
        for watcher in (first, second, third):
            await watcher.frame()
        await watched.call("DELETE", f"/api/tokens/{token.id}", ADMIN)
        async with asyncio.timeout(1.0):
            assert await first.ended()
            assert await second.ended()
        await anext(pushing(watched))
        await third.until_seq("n1", 0)
        assert len(watched.collector.streams) == 1


async def test_the_streams_of_a_session_end_with_it(watched: Server) -> None:
    """Signed out, revoked, or granted by a token that was revoked."""
    token = await watched.mint(role="viewer", name="Ann")
    signed_out, revoked = [await watched.sign_in(secret=ADMIN_SECRET) for _ in range(2)]
    granted = await watched.sign_in(secret=token.token)
    parsed = identity.parse(revoked)
    assert parsed is not None
    for session, method, path, headers in [
        (signed_out, "DELETE", "/api/session", watched.with_session(signed_out)),
        (revoked, "DELETE", f"/api/sessions/{parsed.id}", ADMIN),
        (granted, "DELETE", f"/api/tokens/{token.id}", ADMIN),
    ]:
        async with watching(watched, watched.with_session(session)) as watcher:
            await watcher.frame()
            assert (await watched.call(method, path, headers)).status == 204
            async with asyncio.timeout(1.0):
                assert await watcher.ended()


async def test_an_expired_sessions_stream_ends(watched: Server) -> None:
    session = await watched.sign_in(secret=ADMIN_SECRET)
    async with watching(watched, watched.with_session(session)) as watcher:
        await watcher.frame()
        watched.clock.advance(SESSION_LIFETIME_MS)
        watched.collector.keyring.drop_expired()
        async with asyncio.timeout(1.0):
            assert await watcher.ended()


@pytest.mark.parametrize("stalled_clients", [0, 3])
async def test_a_stop_ends_every_stream_in_time(
    tmp_path: Path, clock: ManualClock, stalled_clients: int
) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running(tmp_path, clock))
        await push_wide_fleet(server, 0)
        stalled = [await stalled_client(server) for _ in range(stalled_clients)]
        for client in stalled:
            stack.callback(client.close)
        watchers = [await stack.enter_async_context(watching(server, ADMIN)) for _ in range(5)]
        for watcher in watchers:
            await watcher.frame()
        started = time.monotonic()
        await server.stop()
        assert time.monotonic() - started < 2.0
        for watcher in watchers:
            assert await watcher.ended()


async def test_no_stream_begins_while_the_collector_stops(server: Server) -> None:
    server.collector.streams.close_all()
    (await server.get(PATH)).problem("not_ready")
