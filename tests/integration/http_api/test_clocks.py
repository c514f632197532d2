"""Clocks that are hours off: kept as sent, flagged on the node, corrected on reading."""

from __future__ import annotations

import sqlite3

import pytest

from forge_shared.messages import EARLIEST_MS, LATEST_MS, Fleet, Node, NodeSnapshot
from tests.integration.http_api.running import BOOT_2, Server

HOUR_MS = 3_600_000


async def the_node(server: Server) -> Node:
    (node,) = (await server.get("/api/fleet")).as_(Fleet).nodes
    return node


async def read_times(server: Server) -> list[int]:
    answer = await server.get("/api/nodes/n1/snapshot")
    return [point.ts for point in answer.as_(NodeSnapshot).points]


def stored_times(server: Server) -> list[int]:
    database = sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)
    try:
        return [row[0] for row in database.execute("SELECT ts FROM snapshots ORDER BY seq")]
    finally:
        database.close()


@pytest.mark.parametrize("wrong_by_ms", [5 * HOUR_MS, -5 * HOUR_MS, 5_001, -5_001])
async def test_a_wrong_clock_is_measured_flagged_and_corrected(
    server: Server, wrong_by_ms: int
) -> None:
    token = await server.node()
    now = server.clock.now_ms()
    for seq in range(3):
        its_now = now + wrong_by_ms + seq
        answer = await server.push(token, seq, ts=its_now, headers={"Forge-Sent-At": str(its_now)})
        assert answer.status == 200
    node = await the_node(server)
    assert node.clock_offset_ms == -wrong_by_ms
    assert node.latest is not None
    assert node.latest.ts == now + 2
    assert node.last_seen == now
    assert await read_times(server) == [now, now + 1, now + 2]
    assert stored_times(server) == [now + wrong_by_ms + seq for seq in range(3)]


@pytest.mark.parametrize("wrong_by_ms", [0, 5_000, -5_000])
async def test_a_slow_network_is_no_wrong_clock(server: Server, wrong_by_ms: int) -> None:
    its_now = server.clock.now_ms() + wrong_by_ms
    await server.push(await server.node(), ts=its_now, headers={"Forge-Sent-At": str(its_now)})
    assert (await the_node(server)).clock_offset_ms is None
    assert await read_times(server) == [its_now]


async def test_without_the_header_nothing_is_corrected(server: Server) -> None:
    old = server.clock.now_ms() - 40 * HOUR_MS
    await server.push(await server.node(), ts=old)
    node = await the_node(server)
    assert node.clock_offset_ms is None
    assert node.latest is not None
    assert node.latest.ts == old
    assert await read_times(server) == [old]


async def test_an_old_snapshot_of_a_right_clock_is_not_corrected(server: Server) -> None:
    now = server.clock.now_ms()
    await server.push(
        await server.node(), ts=now - 40 * HOUR_MS, headers={"Forge-Sent-At": str(now)}
    )
    assert (await the_node(server)).clock_offset_ms is None
    assert await read_times(server) == [now - 40 * HOUR_MS]


async def test_the_clock_is_measured_once_a_boot(server: Server) -> None:
    token, now = await server.node(), server.clock.now_ms()
    await server.push(token, 0, headers={"Forge-Sent-At": str(now - HOUR_MS)})
    await server.push(token, 1, headers={"Forge-Sent-At": str(now)})
    assert (await the_node(server)).clock_offset_ms == HOUR_MS
    await server.push(token, 0, boot_id=BOOT_2, headers={"Forge-Sent-At": str(now)})
    assert (await the_node(server)).clock_offset_ms is None


async def test_a_replay_does_not_measure_the_clock(server: Server) -> None:
    token, now = await server.node(), server.clock.now_ms()
    sent_at = {"Forge-Sent-At": str(now - HOUR_MS)}
    await server.replay(token, [server.line(0)], headers=sent_at)
    assert (await the_node(server)).clock_offset_ms is None
    assert await read_times(server) == [now]


@pytest.mark.parametrize("edge", [EARLIEST_MS, LATEST_MS])
async def test_the_edges_of_time_are_taken(server: Server, edge: int) -> None:
    answer = await server.push(await server.node(), ts=edge, headers={"Forge-Sent-At": str(edge)})
    assert answer.status == 200
    assert await read_times(server) == [server.clock.now_ms()]


@pytest.mark.parametrize(
    "sent_at",
    [
        *("", "x", "-1", "0", "1.5", "1e12", "\u0661", str(EARLIEST_MS - 1), str(LATEST_MS + 1)),
        *("9" * 5000, "1800000000", "+1800000000000", "1_800_000_000_000", "NaN", "\udcff"),
    ],
)
async def test_a_bad_header_is_named(server: Server, sent_at: str) -> None:
    answer = await server.push(await server.node(), headers={"Forge-Sent-At": sent_at})
    assert answer.problem("invalid").errors[0].field == "Forge-Sent-At"
    assert (await server.get("/api/fleet")).as_(Fleet).nodes == []
