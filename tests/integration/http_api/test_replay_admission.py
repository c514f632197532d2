"""Replays leave room for live pushes: they are let in at a rate, and others are told to wait."""

from __future__ import annotations

import asyncio

from forge_collector.fleet.routes import BOOT_ID_HEADER
from forge_shared.messages import IngestReply
from tests.integration.http_api.running import NDJSON, Headers, Server, until
from tests.unit.fleet.manual_clock import ManualClock

MIB = 1024 * 1024


async def test_more_replays_than_there_is_room_for_are_told_when_to_come(
    server: Server, clock: ManualClock
) -> None:
    busy, other = await server.node("n1"), await server.node("n2")
    blank = b" " * (5 * MIB)  # reading it is what costs
    assert (await server.replay(busy, [blank])).status == 200

    refused = await server.replay(other, [server.line(1)], node_id="n2")
    assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
    assert "live pushes go first" in refused.problem("overloaded").detail
    assert (await server.push(other, 0, node_id="n2")).status == 200

    clock.advance(2_000)
    assert (await server.replay(other, [server.line(1)], node_id="n2")).status == 200
    assert (await server.replay(busy, [server.line(1)])).status == 200


async def test_a_node_replays_one_batch_at_a_time(server: Server) -> None:
    token = await server.node("n1")
    reader, writer = await _begun(server, token, 100_000)

    async def is_answered(status: int) -> bool:
        return (await server.replay(token, [server.line(1)])).status == status

    await until(lambda: is_answered(503))
    assert (await server.push(token, 2)).status == 200
    writer.close()
    await writer.wait_closed()
    await until(lambda: is_answered(200))  # what was broken off leaves its place
    assert not await reader.read()


async def test_to_claim_a_huge_batch_keeps_nobody_out(server: Server) -> None:
    huge, other = await server.node("n1"), await server.node("n2")
    reader, writer = await _begun(server, huge, 10**15)
    assert b" 413 " in await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert (await server.replay(other, [server.line(1)], node_id="n2")).status == 200


async def test_a_replay_may_say_which_boot_sends_it(server: Server) -> None:
    token = await server.node("n1")
    for boot_id, status in (("0190b8a4-7a5f-4c3e-9d21-5e0b6a7c8d90", 200), ("me", 422), ("", 422)):
        answer = await server.replay(token, [server.line()], headers={BOOT_ID_HEADER: boot_id})
        assert answer.status == status, boot_id
        if status == 422:
            assert "must be a UUID" in answer.problem("invalid").detail
        else:
            assert answer.as_(IngestReply).accepted == 1


async def _begun(
    server: Server, token: Headers, length: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin a replay of so many bytes, and send only the first of them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.collector.port)
    head = [
        "POST /api/ingest/n1 HTTP/1.1",
        f"Host: 127.0.0.1:{server.collector.port}",
        f"Authorization: {token['Authorization']}",
        f"Content-Type: {NDJSON}",
        f"Content-Length: {length}",
    ]
    writer.write("\r\n".join([*head, "", "begun"]).encode())
    return reader, writer
