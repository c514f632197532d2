"""The fleet in memory: what is live, what is history, and how statuses age."""

from __future__ import annotations

import msgspec
import pytest

from forge_collector.events import Event, NodeAdded, NodeForgotten, NodeStatusChanged
from forge_collector.fleet.live import LiveFleet
from forge_collector.fleet.store import NodeRow
from forge_collector.history.store import LastOfBoot, Recorded
from forge_shared.messages import Host, NodeEdit, Point, Status
from tests.unit.fleet.feeding import Feed, boot_id
from tests.unit.fleet.manual_clock import START_MS, ManualClock

ONLINE, DEGRADED, OFFLINE = Status.ONLINE, Status.DEGRADED, Status.OFFLINE


def latest(live: LiveFleet, node_id: str = "n1") -> Point:
    node = live.node(node_id)
    assert node is not None
    return msgspec.json.decode(msgspec.json.encode(node.latest), type=Point)


def status(live: LiveFleet, node_id: str = "n1") -> Status:
    node = live.node(node_id)
    assert node is not None
    return node.status


def row(last_seen: int = START_MS, last: Recorded | None = None) -> NodeRow:
    return NodeRow(
        id="n1",
        name="name",
        tags=["t"],
        ephemeral=True,
        host=Host(),
        first_seen=5,
        last_seen=last_seen,
        live_boot_id=boot_id(1),
        last=last,
    )


def changes_of(events: list[Event]) -> list[tuple[Status, Status]]:
    return [(e.before, e.after) for e in events if isinstance(e, NodeStatusChanged)]


def test_a_first_push_adds_a_node(live: LiveFleet, feed: Feed, heard_events: list[Event]) -> None:
    feed.push("n1", 0, values={"cpu.pct": 1.5, "new.thing/x": 7}, host=Host(os="Debian"))
    node = live.node("n1")
    assert node is not None
    assert (node.name, node.tags, node.ephemeral, node.status) == ("n1", [], False, ONLINE)
    assert (node.first_seen, node.last_seen, node.host.os) == (START_MS, START_MS, "Debian")
    assert latest(live) == Point(START_MS, {"cpu.pct": 1.5, "new.thing/x": 7})
    assert heard_events == [NodeAdded("n1")]


def test_an_unknown_node_is_none(live: LiveFleet) -> None:
    assert live.node("n1") is None
    assert live.nodes() == []


def test_a_replay_is_a_sign_of_life_and_history_only(
    live: LiveFleet, feed: Feed, clock: ManualClock
) -> None:
    feed.push("n1", 5, cpu=50)
    clock.advance(20_000)
    live.refresh_statuses()
    assert status(live) is DEGRADED
    feed.replay("n1", range(6, 9))
    assert status(live) is ONLINE
    assert latest(live) == Point(START_MS, {"cpu.pct": 50})


def test_a_late_resend_changes_nothing_live(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 5, cpu=50)
    feed.push("n1", 4, cpu=40)  # new to the store, older than what is live
    feed.push("n1", 5, cpu=99)  # a duplicate
    assert latest(live).values == {"cpu.pct": 50}


def test_a_new_boot_begins_at_any_seq_and_the_older_one_stays_behind(
    live: LiveFleet, feed: Feed
) -> None:
    feed.push("n1", 100, boot=1, cpu=1)
    feed.push("n1", 0, boot=2, cpu=2)
    feed.push("n1", 101, boot=1, cpu=3)
    assert latest(live).values == {"cpu.pct": 2}
    feed.push("n1", 1, boot=2, cpu=4)
    assert latest(live).values == {"cpu.pct": 4}


def test_a_boot_first_heard_of_in_a_replay_goes_live(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 9, boot=1, cpu=1)
    feed.replay("n1", range(3), boot=2)
    feed.push("n1", 3, boot=2, cpu=2)
    assert latest(live).values == {"cpu.pct": 2}


def test_a_wrong_clock_is_flagged_and_corrected(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0, offset_ms=7_200_000)
    node = live.node("n1")
    assert node is not None
    assert node.clock_offset_ms == 7_200_000
    assert latest(live).ts == START_MS + 7_200_000


@pytest.mark.parametrize("offset_ms", [None, 0, 5_000, -5_000])
def test_a_slow_network_is_no_wrong_clock(
    live: LiveFleet, feed: Feed, offset_ms: int | None
) -> None:
    feed.push("n1", 0, offset_ms=offset_ms)
    node = live.node("n1")
    assert node is not None
    assert node.clock_offset_ms is None
    assert latest(live).ts == START_MS


def test_statuses_age_and_each_change_is_said_once(
    live: LiveFleet, feed: Feed, clock: ManualClock, heard_events: list[Event]
) -> None:
    feed.push("n1", 0)
    for step_ms, expected in [
        (14_999, ONLINE),
        (1, DEGRADED),
        (0, DEGRADED),
        (45_000, DEGRADED),
        (1, OFFLINE),
        (10**9, OFFLINE),
    ]:
        clock.advance(step_ms)
        live.refresh_statuses()
        assert status(live) is expected
    feed.push("n1", 1)
    feed.push("n1", 2)
    assert status(live) is ONLINE
    assert changes_of(heard_events) == [
        (ONLINE, DEGRADED),
        (DEGRADED, OFFLINE),
        (OFFLINE, ONLINE),
    ]


def test_a_wall_clock_that_jumps_changes_no_status(
    live: LiveFleet, feed: Feed, clock: ManualClock
) -> None:
    feed.push("n1", 0)
    clock.set_wall(START_MS + 10**9)
    live.refresh_statuses()
    assert status(live) is ONLINE
    clock.set_wall(START_MS - 10**9)
    clock.elapsed_ms += 60_001
    live.refresh_statuses()
    assert status(live) is OFFLINE


def test_a_wall_clock_set_back_does_not_take_last_seen_back(
    live: LiveFleet, feed: Feed, clock: ManualClock
) -> None:
    feed.push("n1", 0)
    clock.set_wall(START_MS - 10**6)
    feed.push("n1", 1)
    node = live.node("n1")
    assert node is not None
    assert node.last_seen == START_MS


def test_an_owners_longer_interval_gives_more_time(
    live: LiveFleet, feed: Feed, clock: ManualClock
) -> None:
    feed.push("n1", 0, host=Host(interval_s=60))
    clock.advance(179_999)
    live.refresh_statuses()
    assert status(live) is ONLINE
    clock.advance(1)
    live.refresh_statuses()
    assert status(live) is DEGRADED


def test_an_edit_changes_what_it_names(live: LiveFleet, feed: Feed) -> None:
    feed.push("n1", 0)
    live.edited("n1", NodeEdit(name="nas"))
    live.edited("n1", NodeEdit(tags=["home"], ephemeral=True))
    node = live.node("n1")
    assert node is not None
    assert (node.name, node.tags, node.ephemeral) == ("nas", ["home"], True)


def test_a_forgotten_node_is_gone_and_said_so_once(
    live: LiveFleet, feed: Feed, heard_events: list[Event]
) -> None:
    feed.push("n1", 0)
    feed.forget("n1")
    live.forgotten("n1")
    live.forgotten("never heard of")
    assert live.node("n1") is None
    assert heard_events == [NodeAdded("n1"), NodeForgotten("n1")]


def test_counts_by_status(live: LiveFleet, feed: Feed, clock: ManualClock) -> None:
    feed.push("n1", 0)
    clock.advance(61_000)
    feed.push("n2", 0)
    live.refresh_statuses()
    assert live.count_by_status() == {OFFLINE: 1, ONLINE: 1}


def test_restored_as_it_was(live: LiveFleet, heard_events: list[Event]) -> None:
    recorded = [Recorded(START_MS + seq, b'{"cpu.pct":%d}' % seq) for seq in range(30)]
    live.restore([(row(), LastOfBoot(29, None, recorded))], listened_until=START_MS)
    node = live.node("n1")
    assert node is not None
    assert (node.name, node.tags, node.ephemeral, node.first_seen) == ("name", ["t"], True, 5)
    assert latest(live) == Point(START_MS + 29, {"cpu.pct": 29})
    assert heard_events == []


def test_a_node_without_a_snapshot_left_is_restored_too(live: LiveFleet) -> None:
    live.restore([(row(), None)], listened_until=START_MS)
    node = live.node("n1")
    assert node is not None
    assert node.latest is None


def test_what_it_last_told_outlives_its_history(live: LiveFleet) -> None:
    last = Recorded(START_MS - 10**9, b'{"cpu.pct":7.5}')
    live.restore([(row(last=last), None)], listened_until=START_MS)
    assert latest(live) == Point(START_MS - 10**9, {"cpu.pct": 7.5})


@pytest.mark.parametrize(
    ("silent_ms", "expected"), [(0, ONLINE), (15_000, DEGRADED), (60_001, OFFLINE)]
)
def test_downtime_of_the_collector_makes_nobody_offline(
    live: LiveFleet, clock: ManualClock, heard_events: list[Event], silent_ms: int, expected: Status
) -> None:
    """However long it was down, only the silence before that counts."""
    clock.advance(86_400_000)
    live.restore([(row(last_seen=START_MS - silent_ms), None)], listened_until=START_MS)
    assert status(live) is expected
    live.refresh_statuses()
    assert status(live) is expected
    assert heard_events == []


def test_silence_goes_on_after_a_restart(
    live: LiveFleet, clock: ManualClock, heard_events: list[Event]
) -> None:
    live.restore([(row(last_seen=START_MS - 10_000), None)], listened_until=START_MS)
    clock.advance(5_000)
    live.refresh_statuses()
    assert status(live) is DEGRADED
    assert changes_of(heard_events) == [(ONLINE, DEGRADED)]


def test_a_restored_boot_goes_on_where_it_was(live: LiveFleet, feed: Feed) -> None:
    last = LastOfBoot(7, 0, [Recorded(START_MS, b'{"cpu.pct":70}')])
    live.restore([(row(), last)], listened_until=START_MS)
    feed.was_live("n1", range(7, 8))
    feed.replay("n1", range(6))
    feed.push("n1", 6, cpu=60)
    assert latest(live).values == {"cpu.pct": 70}
    feed.push("n1", 8, cpu=80)
    assert latest(live).values == {"cpu.pct": 80}
