"""Statuses, cards and batches, decided without I/O."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_collector.fleet import rules
from forge_collector.fleet.rules import Member, Rivalry
from forge_shared import names
from forge_shared.codec import TooManyLinesError
from forge_shared.messages import Host, Status

BOOT = "0190b8a4-7a5f-4c3e-9d21-5e0b6a7c8d90"
ONLINE, DEGRADED, OFFLINE = Status.ONLINE, Status.DEGRADED, Status.OFFLINE


def line(**changes: Any) -> bytes:
    good = {"seq": 0, "boot_id": BOOT, "ts": 1_800_000_000_000, "values": {"cpu.pct": 1}}
    return msgspec.json.encode({**good, **changes})


@pytest.mark.parametrize(
    ("interval_s", "silence_ms", "expected"),
    [
        (5, 0, ONLINE),
        (5, 14_999, ONLINE),
        (5, 15_000, DEGRADED),
        (5, 60_000, DEGRADED),
        (5, 60_001, OFFLINE),
        # Shorter intervals do not make a node late earlier.
        (1, 14_999, ONLINE),
        (1, 60_000, DEGRADED),
        # Longer ones make it late after 3 of them, and absent after 12.
        (60, 179_999, ONLINE),
        (60, 180_000, DEGRADED),
        (60, 720_000, DEGRADED),
        (60, 720_001, OFFLINE),
        (6, 17_999, ONLINE),
        (6, 18_000, DEGRADED),
        (6, 72_000, DEGRADED),
        (6, 72_001, OFFLINE),
    ],
)
def test_a_status_turns_exactly_where_it_should(
    interval_s: int, silence_ms: int, expected: Status
) -> None:
    assert rules.status(silence_ms, interval_s) is expected


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 86_400))
def test_longer_silence_is_never_a_better_status(one: int, other: int, interval_s: int) -> None:
    order = list(Status)
    shorter, longer = sorted((one, other))
    before, after = rules.status(shorter, interval_s), rules.status(longer, interval_s)
    assert order.index(before) <= order.index(after)
    assert rules.status(min(shorter, 14_999), interval_s) is ONLINE
    assert rules.status(min(shorter, 60_000), interval_s) is not OFFLINE


@pytest.mark.parametrize(("own", "expected"), [(0, 5), (1, 5), (5, 5), (6, 6), (300, 300)])
def test_the_expected_interval_is_ours_or_the_owners_longer_one(own: int, expected: int) -> None:
    assert rules.expected_interval_s(Host(interval_s=own)) == expected


def test_a_card_shows_gauges_the_fullest_disk_and_all_traffic() -> None:
    values = {
        "cpu.pct": 1.5,
        "cpu.core_pct/0": 3.0,
        "mem.pct": 40.0,
        "mem.used_bytes": 4096,
        "load.1m": 0.5,
        "uptime.s": 100,
        "disk.pct//": 60.0,
        "disk.pct//home": 91.5,
        "disk.pct//var": 10.0,
        "net.rx_bytes_per_s/eth0": 100,
        "net.rx_bytes_per_s/wlan0": 23,
        "net.tx_bytes_per_s/eth0": 7,
        "newer.metric/x": 1,
    }
    assert rules.card_values(values) == {
        "cpu.pct": 1.5,
        "mem.pct": 40.0,
        "load.1m": 0.5,
        "uptime.s": 100,
        "disk.pct": 91.5,
        "net.rx_bytes_per_s": 123,
        "net.tx_bytes_per_s": 7,
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {}),
        ({"disk.pct//": 0.0}, {"disk.pct": 0.0}),
        ({"disk.pct//": -1.0, "disk.pct//a": -2.0}, {"disk.pct": -1.0}),
        ({"net.tx_bytes_per_s/a": 0}, {"net.tx_bytes_per_s": 0}),
        # A snapshot or two in the spool are no catching up.
        ({"agent.spool_bytes": 65_535}, {}),
        ({"agent.spool_bytes": 65_536}, {"agent.spool_bytes": 65_536}),
        # Without an instance it is another agent's business, not a disk or an interface.
        ({"disk.pct": 5.0, "net.rx_bytes_per_s": 5}, {}),
    ],
)
def test_a_card_leaves_out_what_a_node_does_not_have(
    values: dict[str, float], expected: dict[str, float]
) -> None:
    assert rules.card_values(values) == expected


def test_a_live_push_is_one_snapshot() -> None:
    push = rules.read_live(line(seq=4))
    assert push.is_live
    assert [snapshot.seq for snapshot in push.snapshots] == [4]
    assert push.rejected == []


def test_a_replay_names_bad_lines_by_number_and_keeps_the_others() -> None:
    body = b"\n".join(
        [
            line(seq=0),
            b"",
            b"{torn",
            line(seq=1),
            line(seq=-1),
            line(values={"CPU": 1}),
            line(values={"cpu.pct": 1e300}),
            line(values={f"cpu.core_pct/{n}": 1 for n in range(1025)}),
            line(seq=2),
        ]
    )
    push = rules.read_replay(body)
    assert not push.is_live
    assert [snapshot.seq for snapshot in push.snapshots] == [0, 1, 2]
    assert [(one.line, one.code) for one in push.rejected] == [
        (3, "malformed_json"),
        (5, "invalid"),
        (6, "bad_metric_key"),
        (7, "out_of_bounds"),
        (8, "too_many_values"),
    ]
    assert "seq" in push.rejected[1].detail
    assert "cpu.pct" in push.rejected[3].detail


@pytest.mark.parametrize("body", [b"", b"\n", b"\n\n \n\r\n"])
def test_an_empty_replay_holds_nothing(body: bytes) -> None:
    push = rules.read_replay(body)
    assert (push.snapshots, push.rejected, push.is_live) == ([], [], False)


def test_500_lines_are_taken_and_one_more_is_not() -> None:
    lines = [line(seq=seq) for seq in range(501)]
    assert len(rules.read_replay(b"\n".join(lines[:500]) + b"\n\n").snapshots) == 500
    with pytest.raises(TooManyLinesError, match="500 lines"):
        rules.read_replay(b"\n".join(lines))


def test_millions_of_tiny_lines_are_refused_without_being_taken_apart() -> None:
    with pytest.raises(TooManyLinesError):
        rules.read_replay(b"1\n" * 4_000_000)


def test_windows_line_ends_are_fine() -> None:
    assert len(rules.read_replay(line(seq=0) + b"\r\n" + line(seq=1) + b"\r\n").snapshots) == 2


# --- machines that share a token ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("late_since_s", "live_heard_s", "now_s", "both", "expected"),
    [
        (0, 4, 5, False, Rivalry.UNDECIDED),
        (0, 14, 14.9, False, Rivalry.UNDECIDED),
        (0, 15, 16, False, Rivalry.SHARED),
        (0, 10, 16, False, Rivalry.UNDECIDED),  # the other may yet push
        (0, 10, 25, False, Rivalry.RETURNED),
        (0, -100, 14, False, Rivalry.UNDECIDED),
        (0, -100, 15, False, Rivalry.RETURNED),
        (0, -100, 15, True, Rivalry.SHARED),
    ],
)
def test_rivals_are_two_machines_when_both_go_on(
    late_since_s: int, live_heard_s: int, now_s: float, both: bool, expected: Rivalry
) -> None:
    verdict = rules.rivalry(
        round(now_s * 1000),
        late_since_s * 1000,
        live_heard_s * 1000,
        rules.PUSH_INTERVAL_S,
        have_both_returned=both,
    )
    assert verdict is expected


def test_a_slow_machine_is_not_thought_gone_between_two_pushes() -> None:
    verdict = rules.rivalry(60_000, 0, 10_000, 60, have_both_returned=False)
    assert verdict is Rivalry.UNDECIDED


def member(node_id: str, hostname: str, boot_time: int, silence_s: int) -> Member:
    host = Host(hostname=hostname, boot_time=boot_time)
    return Member(node_id, host, silence_s * 1000, rules.is_overdue(silence_s * 1000, 5))


@pytest.mark.parametrize(
    ("members", "host", "expected"),
    [
        # The same run of a machine, whatever else is silent.
        ([member("a", "pc", 1_000_000, 2), member("b", "pc", 9, 99)], ("pc", 1_000_900), "a"),
        # The same name, and only one has it.
        ([member("a", "pc1", 5, 2), member("b", "pc2", 9, 2)], ("pc2", 700), "b"),
        # Several have it: the one that fell silent, the last of them.
        ([member("a", "pc", 5, 2), member("b", "pc", 9, 40)], ("pc", 700_000), "b"),
        ([member("a", "pc", 5, 999), member("b", "pc", 9, 40)], ("pc", 700_000), "b"),
        # A name nobody has, or none: silence alone.
        ([member("a", "pc", 5, 2), member("b", "pd", 9, 40)], ("new", 700_000), "b"),
        ([member("a", "pc", 5, 2), member("b", "pd", 9, 40)], None, "b"),
        # All are there: perhaps one more.
        ([member("a", "pc", 5, 2), member("b", "pc", 9, 4)], ("pc", 700_000), None),
        ([member("a", "pc", 5, 2), member("b", "pc", 9, 4)], None, None),
    ],
)
def test_a_new_boot_continues_who_is_most_like_it(
    members: list[Member], host: tuple[str, int] | None, expected: str | None
) -> None:
    told = None if host is None else Host(hostname=host[0], boot_time=host[1])
    assert rules.continued(members, told) == expected


@pytest.mark.parametrize("node_id", ["n1", "n" * 64, "a.2"])
def test_a_siblings_id_is_a_node_id(node_id: str) -> None:
    for number in rules.SIBLING_NUMBERS:
        assert names.is_node_id(rules.sibling_id(node_id, number))
    assert len(rules.sibling_name(node_id, "x" * 64, 256)) == 64
    assert rules.sibling_name("n1", "n1", 2) == "n1.2"
