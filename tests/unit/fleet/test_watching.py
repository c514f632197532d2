"""Watching one node: what its stream tells, and what it asks of the node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from forge_collector.fleet import rules
from forge_collector.fleet.live import LiveFleet
from forge_shared.messages import Host, Point, Status
from tests.unit.fleet.feeding import Feed
from tests.unit.fleet.frames import Client, is_quiet, read_snapshot
from tests.unit.fleet.manual_clock import START_MS, ManualClock


async def told(frames: AsyncIterator[bytes]) -> Point:
    return read_snapshot(await anext(frames))


async def test_the_latest_comes_at_once_then_each_as_it_comes(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0, values={"cpu.pct": 1.5, "disk.pct//": 60})
    with live.watch("n1") as frames:
        assert await told(frames) == Point(START_MS, {"cpu.pct": 1.5, "disk.pct//": 60})
        for seq in range(1, 4):
            feed.push("n1", seq)
            assert (await told(frames)).values == {"cpu.pct": seq}


async def test_a_node_that_told_nothing_yet_is_quiet(live: LiveFleet, feed: Feed) -> None:
    feed.replay("n1", range(3))
    with live.watch("n1") as frames:
        assert await is_quiet(told(frames))
    with live.watch("n1") as frames:
        waiting = asyncio.ensure_future(told(frames))
        await asyncio.sleep(0)
        feed.push("n1", 5)
        assert (await waiting).values == {"cpu.pct": 5}


async def test_only_news_of_that_node_is_told(live: LiveFleet, feed: Feed) -> None:
    """Neither a replay, nor a push that came again, nor one overtaken, nor another node's."""
    feed.push("n1", 5)
    with live.watch("n1") as frames:
        await told(frames)
        feed.replay("n1", range(6, 9))
        feed.push("n1", 5)
        feed.push("n1", 4)
        feed.push("n2", 6)
        assert await is_quiet(told(frames))


async def test_who_is_slow_gets_the_newest(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0)
    with live.watch("n1") as frames:
        await told(frames)
        for seq in range(1, 100):
            feed.push("n1", seq)
        assert (await told(frames)).values == {"cpu.pct": 99}
        assert await is_quiet(told(frames))


async def test_a_frame_is_encoded_once_for_all(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0)
    with live.watch("n1") as first, live.watch("n1") as second:
        assert await anext(first) is await anext(second)
        feed.push("n1", 1)
        assert await anext(first) is await anext(second)


async def test_times_are_by_the_collectors_clock(
    live: LiveFleet, feed: Feed, clock: ManualClock
) -> None:
    feed.push("n1", 0, offset_ms=3_600_000)
    with live.watch("n1") as frames:
        assert (await told(frames)).ts == START_MS + 3_600_000
        clock.advance(1_000)
        feed.push("n1", 1, offset_ms=3_600_000)
        assert (await told(frames)).ts == START_MS + 3_601_000


async def test_a_new_run_of_the_agent_goes_on(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 70)
    with live.watch("n1") as frames:
        await told(frames)
        feed.push("n1", 0, boot=2)
        assert (await told(frames)).values == {"cpu.pct": 0}


async def test_a_forgotten_nodes_streams_end(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0)
    with live.watch("n1") as old:
        await told(old)
        waiting = asyncio.ensure_future(anext(old, None))
        await asyncio.sleep(0)
        feed.forget("n1")
        assert await waiting is None
        feed.push("n1", 1)
        assert live.wanted_interval_s("n1") == rules.PUSH_INTERVAL_S
        with live.watch("n1") as new:
            assert (await told(new)).values == {"cpu.pct": 1}
            assert await anext(old, None) is None
            assert live.count_watched() == 1
    assert live.count_watched() == 0


def test_a_node_is_asked_for_more_while_anybody_watches(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0)
    feed.push("n2", 0)
    assert live.wanted_interval_s("n1") == 5
    with live.watch("n1"):
        with live.watch("n1"):
            assert live.wanted_interval_s("n1") == 1
        assert live.wanted_interval_s("n1") == 1
        assert live.wanted_interval_s("n2") == 5
        assert live.count_watched() == 1
    assert live.wanted_interval_s("n1") == 5
    assert live.count_watched() == 0


def test_watching_leaves_nothing_behind(live: LiveFleet, feed: Feed) -> None:
    for number in range(100):
        feed.push(f"n{number}", 0)
        with live.watch(f"n{number}"):
            feed.push(f"n{number}", 1)
    assert vars(live._watches) == {"_watches": {}}


@pytest.mark.parametrize("host", [Host(), Host(interval_s=1), Host(interval_s=60)])
def test_watching_makes_no_status_stricter(
    live: LiveFleet, feed: Feed, clock: ManualClock, host: Host
) -> None:
    """A machine whose answer, with its wish for more, was lost is not to blame."""
    feed.push("n1", 0, host=host)
    with live.watch("n1"):
        clock.advance(max(15, 3 * host.interval_s) * 1000 - 1)
        live.refresh_statuses()
        node = live.node("n1")
        assert node is not None
        assert node.status is Status.ONLINE


async def test_a_watched_nodes_sparkline_keeps_the_usual_rhythm(
    live: LiveFleet, feed: Feed, clock: ManualClock
) -> None:
    feed.push("n1", 0)
    live.publish()
    client = Client(live)
    with live.watch("n1"):
        for seq in range(1, 31):
            clock.advance(1_000 if seq % 2 else 997)
            feed.push("n1", seq, cpu=float(seq))
            live.publish()
            await client.next()
        cpu = client.cards["n1"].cpu
    # Means of five, but for the first: there was nothing to gather before it.
    assert cpu == [0, 1, 4, 9, 14, 19, 24]
    assert client.cards["n1"].card.values["cpu.pct"] == 30
