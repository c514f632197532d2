"""The stream of the fleet: one full frame, then what changed, whatever the client missed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_collector.events import Events
from forge_collector.fleet import live as live_module
from forge_collector.fleet.live import LiveFleet
from forge_shared.messages import FleetFrame, Host, NodeEdit
from tests.unit.fleet.feeding import Feed
from tests.unit.fleet.frames import Client, is_quiet, read_event
from tests.unit.fleet.manual_clock import ManualClock


def ids(frame: FleetFrame) -> list[str]:
    return [card.id for card in frame.nodes]


async def test_a_client_gets_everything_at_once(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0)
    feed.push("n2", 0)
    live.publish()
    frame = await Client(live).next()
    assert frame.full
    assert ids(frame) == ["n1", "n2"]
    assert all(card.facts is not None for card in frame.nodes)


async def test_a_client_that_comes_before_anything_was_published_gets_everything_too(
    live: LiveFleet, feed: Feed
) -> None:
    """As right after the start, with nodes of which nothing will ever be heard again."""
    feed.push("n1", 0)
    frame = await Client(live).next()
    assert frame.full
    assert ids(frame) == ["n1"]


async def test_an_empty_fleet_is_a_frame_too(live: LiveFleet, clock: ManualClock) -> None:
    assert await Client(live).next() == FleetFrame(True, clock.now_ms(), [], [])


async def test_a_delta_carries_only_what_changed(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0, host=Host(os="Debian"))
    feed.push("n2", 0)
    live.publish()
    client = Client(live)
    await client.next()
    feed.push("n2", 1, cpu=9)
    live.publish()
    frame = await client.next()
    assert not frame.full
    assert ids(frame) == ["n2"]
    assert frame.nodes[0].facts is None
    assert frame.nodes[0].cpu == [9]


async def test_facts_come_again_when_they_change(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0, host=Host(os="Debian 12"))
    live.publish()
    client = Client(live)
    await client.next()
    changes: list[Callable[[], None]] = [
        lambda: feed.push("n1", 1, host=Host(os="Debian 13")),
        lambda: feed.push("n1", 2, offset_ms=60_000),
        lambda: live.edited("n1", NodeEdit(name="nas")),
    ]
    for change in changes:
        change()
        live.publish()
        assert (await client.next()).nodes[0].facts is not None
    shown = client.cards["n1"].facts
    assert (shown.os, shown.name, shown.clock_offset_ms) == ("Debian 13", "nas", 60_000)


async def test_nothing_new_is_no_version_and_no_frame(
    live: LiveFleet, feed: Feed, clock: ManualClock
) -> None:
    feed.push("n1", 0)
    live.publish()
    client = Client(live)
    await client.next()
    clock.advance(1_000)
    live.refresh_statuses()
    live.publish()
    assert await is_quiet(client.next())


async def test_an_older_status_is_news(live: LiveFleet, feed: Feed, clock: ManualClock) -> None:
    feed.push("n1", 0)
    feed.push("n2", 0)
    live.publish()
    client = Client(live)
    await client.next()
    clock.advance(10_000)
    feed.push("n2", 1)
    clock.advance(5_000)
    live.refresh_statuses()
    live.publish()
    await client.next()
    assert {key: shown.card.status for key, shown in client.cards.items()} == {
        "n1": "degraded",
        "n2": "online",
    }


async def test_a_slow_client_gets_one_frame_for_all_it_missed(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0)
    live.publish()
    client = Client(live)
    await client.next()
    for seq in range(1, 11):
        feed.push("n1", seq)
        live.publish()
    frame = await client.next()
    assert not frame.full
    assert frame.nodes[0].cpu == list(range(1, 11))
    assert await is_quiet(client.next())


async def test_a_gone_node_is_said_once(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0)
    live.publish()
    client = Client(live)
    await client.next()
    feed.forget("n1")
    live.publish()
    frame = await client.next()
    assert (frame.gone, frame.nodes) == (["n1"], [])
    feed.push("n2", 0)
    live.publish()
    assert (await client.next()).gone == []


async def test_a_node_forgotten_before_it_was_published_is_never_shown(
    live: LiveFleet, feed: Feed
) -> None:
    client = Client(live)
    await client.next()
    feed.push("n1", 0)
    feed.forget("n1")
    live.publish()
    assert (await client.next()).nodes == []
    assert client.cards == {}


async def test_a_namesake_of_a_gone_node_inherits_nothing(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0, cpu=77)
    live.publish()
    client = Client(live)
    await client.next()
    feed.forget("n1")
    feed.push("n1", 0, cpu=1)
    live.publish()
    await client.next()
    assert client.cards["n1"].cpu == [1]


async def test_a_client_that_missed_too_many_goodbyes_begins_anew(
    live: LiveFleet, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "_MAX_GONE", 3)
    for number in range(6):
        feed.push(f"n{number}", 0)
    live.publish()
    slow, returning = Client(live), Client(live)
    await slow.next()
    await returning.next()
    returning.reconnect()
    for number in range(5):
        feed.forget(f"n{number}")
        live.publish()
    for client in (slow, returning):
        assert (await client.next()).full
        assert set(client.cards) == {"n5"}


async def test_too_many_goodbyes_at_once_begin_everybody_anew(
    live: LiveFleet, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "_MAX_GONE", 3)
    for number in range(6):
        feed.push(f"n{number}", 0)
    live.publish()
    client = Client(live)
    await client.next()
    for number in range(5):
        feed.forget(f"n{number}")
    live.publish()
    await client.next()
    assert set(client.cards) == {"n5"}


async def test_a_client_that_comes_back_gets_what_it_missed(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0)
    feed.push("n2", 0)
    live.publish()
    client = Client(live)
    await client.next()
    client.reconnect()
    feed.push("n2", 1)
    live.publish()
    frame = await client.next()
    assert not frame.full
    assert ids(frame) == ["n2"]


async def test_a_client_that_comes_back_and_missed_nothing_waits(
    live: LiveFleet, feed: Feed
) -> None:
    feed.push("n1", 0)
    live.publish()
    client = Client(live)
    await client.next()
    client.reconnect()
    assert await is_quiet(client.next())


@pytest.mark.parametrize(
    "event_id",
    [
        *("", "x", ".", "{epoch}", "{epoch}.", "{epoch}.x", "{epoch}.-1", "{epoch}.99"),
        *(
            "{epoch}.1.1",
            "{epoch}.٣",
            "{epoch}. 1",
            "deadbeef.1",
            "{epoch}." + "9" * 5000,
            "\udcff",
        ),
    ],
)
async def test_an_id_that_is_not_ours_means_nothing(
    live: LiveFleet, feed: Feed, event_id: str
) -> None:
    feed.push("n1", 0)
    live.publish()
    encoded = await anext(live.frames(event_id.replace("{epoch}", live._epoch)))
    assert read_event(encoded).frame.full


async def test_an_id_of_another_start_means_nothing(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0)
    live.publish()
    client = Client(live)
    await client.next()
    restarted = LiveFleet(ManualClock(), Events())
    assert read_event(await anext(restarted.frames(client.last_event_id))).frame.full


async def test_a_frame_is_encoded_once_for_many_clients(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0)
    live.publish()
    streams = [live.frames(None) for _ in range(20)]
    first = [await anext(stream) for stream in streams]
    assert len({id(frame) for frame in first}) == 1
    waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
    await asyncio.sleep(0)
    feed.push("n1", 1)
    live.publish()
    second = [await task for task in waiting]
    assert len({id(frame) for frame in second}) == 1
    assert first[0] is not second[0]


async def test_clients_at_many_versions_do_not_fill_the_memory(live: LiveFleet, feed: Feed) -> None:
    for seq in range(200):
        feed.push("n1", seq)
        live.publish()
    for version in range(199):
        await anext(live.frames(f"{live._epoch}.{version}"))
    assert len(live._frames) <= 64


async def test_a_sparkline_holds_30_points(live: LiveFleet, feed: Feed) -> None:
    for seq in range(100):
        feed.push("n1", seq)
    live.publish()
    assert (await Client(live).next()).nodes[0].cpu == list(range(70, 100))


async def test_a_point_that_is_not_published_yet_comes_once(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0)
    live.publish()
    feed.push("n1", 1)  # in memory, in no version yet
    client = Client(live)
    await client.next()
    live.publish()
    await client.next()
    assert client.cards["n1"].cpu == [0, 1]


async def test_a_snapshot_without_cpu_adds_no_point(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0, values={"mem.pct": 5.0})
    live.publish()
    card = (await Client(live).next()).nodes[0]
    assert (card.cpu, card.values) == ([], {"mem.pct": 5.0})


# --- any mix of frames adds up -----------------------------------------------------------------

NODES = ["a", "b"]
CLIENTS = 3
steps_of_a_story = st.one_of(
    st.tuples(st.just("push"), st.sampled_from(NODES)),
    st.tuples(st.just("push"), st.sampled_from(NODES)),
    st.tuples(st.just("new boot"), st.sampled_from(NODES)),
    st.tuples(st.just("edit"), st.sampled_from(NODES)),
    st.tuples(st.just("forget"), st.sampled_from(NODES)),
    st.tuples(st.just("silence"), st.sampled_from([5_000, 20_000, 61_000])),
    st.tuples(st.just("publish"), st.none()),
    st.tuples(st.just("publish"), st.none()),
    st.tuples(st.just("read"), st.integers(0, CLIENTS - 1)),
    st.tuples(st.just("read"), st.integers(0, CLIENTS - 1)),
    st.tuples(st.just("reconnect"), st.integers(0, CLIENTS - 1)),
    st.tuples(st.just("reload"), st.integers(0, CLIENTS - 1)),
)


class World:
    """A fleet, its agents, a client that misses nothing, and some that do."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.live = LiveFleet(self.clock, Events())
        self.feed = Feed(self.live, self.clock)
        self.attentive = Client(self.live)
        self.clients = [Client(self.live) for _ in range(CLIENTS)]
        self._counter: Iterator[int] = iter(range(10**6))
        self._boot = 1

    async def do(self, change: str, subject: object) -> None:
        match change, subject:
            case "push", str(node_id):
                self.feed.push(node_id, next(self._counter), boot=self._boot)
            case "new boot", str(node_id):
                self._boot += 1
                self.feed.push(node_id, next(self._counter), boot=self._boot)
            case "edit", str(node_id) if self.live.node(node_id) is not None:
                self.live.edited(node_id, NodeEdit(name=f"name {next(self._counter)}"))
            case "forget", str(node_id):
                self.feed.forget(node_id)
            case "silence", int(ms):
                self.clock.advance(ms)
                self.live.refresh_statuses()
            case "publish", _:
                self.live.publish()
                await self.read_all(self.attentive)
            case "read", int(number):
                await self.read_all(self.clients[number])
            case "reconnect", int(number):
                self.clients[number].reconnect()
            case "reload", int(number):
                self.clients[number].reconnect(remember=False)

    async def read_all(self, client: Client) -> None:
        """Let the client take what is there for it, unless it has that already."""
        newest = f"{self.live._epoch}.{self.live._version}"
        if client.last_event_id != newest:
            await client.next()
        assert client.last_event_id == newest


@settings(max_examples=300, deadline=None)
@given(st.lists(steps_of_a_story, min_size=10, max_size=60))
async def test_every_client_ends_with_the_same_fleet(steps: list[tuple[str, object]]) -> None:
    world = World()
    await world.read_all(world.attentive)
    for change, subject in steps:
        await world.do(change, subject)
    world.live.publish()
    loaded_now = Client(world.live)
    await loaded_now.next()
    for client in (world.attentive, *world.clients):
        await world.read_all(client)
        assert client.cards == loaded_now.cards
    assert set(loaded_now.cards) == {node.id for node in world.live.nodes()}
