"""The fleet in memory: what is live, what is history, and how statuses age."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_collector.events import Event, Events, NodeAdded, NodeForgotten, NodeStatusChanged
from forge_collector.fleet import rules
from forge_collector.fleet.live import LiveFleet
from forge_collector.fleet.store import NodeRow, Receipt, Stored
from forge_collector.history.store import LastOfBoot, Recorded
from forge_shared.condition import Condition
from forge_shared.messages import Host, NodeEdit, Point, Status
from tests.unit.fleet.feeding import Feed, boot_id
from tests.unit.fleet.manual_clock import START_MS, ManualClock

ONLINE, DEGRADED, OFFLINE = Status.ONLINE, Status.DEGRADED, Status.OFFLINE
LISTENED_MS = 5_000_000


def latest(live: LiveFleet, node_id: str = "n1") -> Point:
    node = live.node(node_id)
    assert node is not None
    return msgspec.json.decode(msgspec.json.encode(node.latest), type=Point)


def status(live: LiveFleet, node_id: str = "n1") -> Status:
    node = live.node(node_id)
    assert node is not None
    return node.status


def row(heard_ms: int = LISTENED_MS, last: Recorded | None = None) -> NodeRow:
    return NodeRow(
        id="n1",
        name="name",
        tags=["t"],
        ephemeral=True,
        host=Host(),
        first_seen=5,
        last_seen=START_MS,
        heard_ms=heard_ms,
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


def test_a_forgotten_node_is_gone_and_said_to_be(
    live: LiveFleet, feed: Feed, heard_events: list[Event]
) -> None:
    feed.push("n1", 0)
    feed.forget("n1")
    live.forgotten("never pushed")  # it may have worked all the same
    assert live.node("n1") is None
    assert heard_events == [NodeAdded("n1"), NodeForgotten("n1"), NodeForgotten("never pushed")]


def test_counts_by_condition(live: LiveFleet, feed: Feed, clock: ManualClock) -> None:
    feed.push("n1", 0)
    feed.push("pc", 0)
    live.edited("pc", NodeEdit(ephemeral=True))
    clock.advance(61_000)
    feed.push("n2", 0)
    live.refresh_statuses()
    assert live.count_by_condition() == {
        Condition.OFFLINE: 1,
        Condition.ONLINE: 1,
        Condition.OFF: 1,
    }


def test_restored_as_it_was(live: LiveFleet, heard_events: list[Event]) -> None:
    recorded = [Recorded(START_MS + seq, b'{"cpu.pct":%d}' % seq) for seq in range(30)]
    live.restore([(row(), LastOfBoot(29, None, recorded))], LISTENED_MS)
    node = live.node("n1")
    assert node is not None
    assert (node.name, node.tags, node.ephemeral, node.first_seen) == ("name", ["t"], True, 5)
    assert latest(live) == Point(START_MS + 29, {"cpu.pct": 29})
    assert heard_events == []


def test_a_node_without_a_snapshot_left_is_restored_too(live: LiveFleet) -> None:
    live.restore([(row(), None)], LISTENED_MS)
    node = live.node("n1")
    assert node is not None
    assert node.latest is None


def test_what_it_last_told_outlives_its_history(live: LiveFleet) -> None:
    last = Recorded(START_MS - 10**9, b'{"cpu.pct":7.5}')
    live.restore([(row(last=last), None)], LISTENED_MS)
    assert latest(live) == Point(START_MS - 10**9, {"cpu.pct": 7.5})


@pytest.mark.parametrize(
    ("silent_ms", "expected"),
    [
        (0, ONLINE),
        (14_999, ONLINE),
        (15_000, DEGRADED),
        (60_000, DEGRADED),
        (60_001, OFFLINE),
        (LISTENED_MS, OFFLINE),
    ],
)
def test_downtime_of_the_collector_makes_nobody_offline(
    live: LiveFleet, clock: ManualClock, heard_events: list[Event], silent_ms: int, expected: Status
) -> None:
    """However long it was down, only the silence before that counts."""
    clock.advance(86_400_000)
    live.restore([(row(heard_ms=LISTENED_MS - silent_ms), None)], LISTENED_MS)
    assert status(live) is expected
    live.refresh_statuses()
    assert status(live) is expected
    assert heard_events == []


def test_silence_goes_on_after_a_restart(
    live: LiveFleet, clock: ManualClock, heard_events: list[Event]
) -> None:
    live.restore([(row(heard_ms=LISTENED_MS - 10_000), None)], LISTENED_MS)
    clock.advance(4_999)
    live.refresh_statuses()
    assert status(live) is ONLINE
    clock.advance(1)
    live.refresh_statuses()
    assert status(live) is DEGRADED
    assert changes_of(heard_events) == [(ONLINE, DEGRADED)]


def test_the_listening_clock_goes_on_where_it_was(live: LiveFleet, clock: ManualClock) -> None:
    clock.advance(86_400_000)
    live.restore([], LISTENED_MS)
    assert live.listened_ms() == LISTENED_MS
    clock.advance(7)
    assert live.listened_ms() == LISTENED_MS + 7
    clock.set_wall(START_MS - 10**9)
    assert live.listened_ms() == LISTENED_MS + 7


def test_a_new_collector_begins_to_listen_at_0(clock: ManualClock) -> None:
    clock.advance(86_400_000)
    fleet = LiveFleet(clock, Events())
    assert fleet.listened_ms() == 0
    fleet.restore([], 0)
    assert fleet.listened_ms() == 0


def test_a_node_heard_after_the_clock_was_noted_tells_how_far_it_went(
    live: LiveFleet, clock: ManualClock
) -> None:
    """After kill -9 the note is some seconds old; nobody was heard in the future."""
    one = row(heard_ms=LISTENED_MS - 60_000)
    other = row(heard_ms=LISTENED_MS + 3_000)._replace(id="n2")
    live.restore(iter([(one, None), (other, None)]), LISTENED_MS)
    assert live.listened_ms() == LISTENED_MS + 3_000
    assert (status(live, "n1"), status(live, "n2")) == (OFFLINE, ONLINE)
    clock.advance(14_999)
    live.refresh_statuses()
    assert status(live, "n2") is ONLINE
    clock.advance(1)
    live.refresh_statuses()
    assert status(live, "n2") is DEGRADED


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 10**10)), min_size=1, max_size=12),
    st.booleans(),
)
def test_silence_is_what_was_listened_over_any_number_of_restarts(
    runs: list[tuple[int, int]], has_a_long_interval: bool
) -> None:
    """A run listens for so long, then the collector is down for so long."""
    host = Host(interval_s=60) if has_a_long_interval else Host()
    heard_ms = listened_ms = LISTENED_MS
    for listens_ms, down_ms in runs:
        clock = ManualClock(START_MS + down_ms)
        clock.elapsed_ms = down_ms % 1_000_003  # it counts from anywhere
        fleet = LiveFleet(clock, Events())
        fleet.restore([(row(heard_ms)._replace(host=host), None)], listened_ms)
        clock.advance(listens_ms)
        fleet.refresh_statuses()
        listened_ms = fleet.listened_ms()
    silence_ms = sum(listens_ms for listens_ms, _ in runs)
    assert listened_ms == LISTENED_MS + silence_ms
    assert status(fleet) is rules.status(silence_ms, rules.expected_interval_s(host))


def test_a_push_counts_from_when_it_came_in(
    live: LiveFleet, clock: ManualClock, feed: Feed
) -> None:
    """Not from when it was stored: after a restart it must be the same."""
    feed.push("n1", 0)
    push = rules.Push([], [], is_live=False)
    receipt = Receipt(clock.now_ms(), live.listened_ms(), None, "a token")
    clock.advance(10_000)  # on a slow disk
    live.heard("n1", push, Stored(0), receipt)
    clock.advance(4_999)
    live.refresh_statuses()
    assert status(live) is ONLINE
    clock.advance(1)
    live.refresh_statuses()
    assert status(live) is DEGRADED


def test_a_restored_boot_goes_on_where_it_was(live: LiveFleet, feed: Feed) -> None:
    last = LastOfBoot(7, 0, [Recorded(START_MS, b'{"cpu.pct":70}')])
    live.restore([(row(), last)], LISTENED_MS)
    feed.was_live("n1", range(7, 8))
    feed.replay("n1", range(6))
    feed.push("n1", 6, cpu=60)
    assert latest(live).values == {"cpu.pct": 70}
    feed.push("n1", 8, cpu=80)
    assert latest(live).values == {"cpu.pct": 80}
