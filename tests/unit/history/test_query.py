"""What history answers, point by point as the slow reference tells it, for any input."""

from __future__ import annotations

import random
import uuid
from collections.abc import Collection, Sequence

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forge_collector.db import Tx
from forge_collector.history import query, routes, store
from forge_collector.history.query import Question
from forge_collector.history.rules import Span
from forge_collector.history.store import Row
from forge_shared.messages import History
from tests.unit.history import reference
from tests.unit.history.reference import Sent

NOW = 1_800_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
KEYS = ("cpu.pct", "cpu.core_pct/0", "cpu.core_pct/1", "net.rx_bytes_per_s/eth0", "new.thing/a,b")

# How far apart snapshots are: its rhythm, watched, late, and gaps of all lengths.
distances_ms = st.sampled_from([0, 1, 1000, 1000, 5000, 5000, 5000, 5003, 7500, 9000]) | (
    st.integers(1, 3 * HOUR_MS)
)
values = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 1000).map(lambda n: n / 10))
offsets_ms = st.sampled_from([0, 0, 4000, 7000, -HOUR_MS])


@st.composite
def runs(draw: st.DrawFn) -> list[Sent]:
    """What a node sent over several boots, in any order, some of it twice."""
    sent: list[Sent] = []
    # Distinct: a boot has one clock, and a seq once.
    boots = st.lists(st.integers(0, 2**64), min_size=1, max_size=3, unique=True)
    for number in draw(boots):
        ts = NOW - draw(st.integers(0, 10 * HOUR_MS))
        boot, offset_ms = str(uuid.UUID(int=number)), draw(offsets_ms)
        for seq in range(draw(st.integers(0, 40))):
            ts += draw(distances_ms)
            sent.append(Sent(boot, seq, ts - offset_ms, draw(values), offset_ms))
    random.Random(draw(st.integers(0, 9))).shuffle(sent)
    return sent + sent[: draw(st.integers(0, 5))]


spans = st.tuples(
    st.integers(NOW - 12 * HOUR_MS, NOW),
    st.sampled_from([0, 1, 1000, 10_000, MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 12 * HOUR_MS])
    | st.integers(0, 20 * HOUR_MS),
)
wishes = st.none() | st.sets(st.sampled_from([*KEYS, "cpu.core_pct", "no.such"]), min_size=1)


def keep(tx: Tx, node_id: str, sent: Sequence[Sent]) -> None:
    for snapshot in sent:
        boot = store.open_boot(tx, node_id, snapshot.boot)
        if boot.clock_offset_ms is None:
            store.set_clock_offset(tx, boot.boot, snapshot.offset_ms)
        body = msgspec.json.encode(snapshot.values)
        store.append(tx, boot, [Row(snapshot.seq, snapshot.ts, body)], 2 * NOW)


def ask(
    tx: Tx,
    node_id: str,
    from_ms: int,
    to_ms: int,
    *,
    points: int = 300,
    wanted: Collection[str] | None = None,
    raw_since: int = 0,
    interval_s: int = 5,
) -> History:
    asked = Question(node_id, Span(from_ms, to_ms), points, wanted, raw_since, interval_s)
    return msgspec.json.decode(routes.encoded(asked, query.answer(tx, asked)), type=History)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None
)
@given(
    sent=runs(),
    span=spans,
    points=st.sampled_from([2, 3, 10, 50, 300, 3600]),
    wanted=wishes,
    raw_hours=st.sampled_from([48, 48, 6]),
    interval_s=st.sampled_from([5, 5, 60]),
)
def test_every_point_is_as_the_reference_tells_it(  # noqa: PLR0917  what hypothesis draws
    tx: Tx,
    sent: list[Sent],
    span: tuple[int, int],
    points: int,
    wanted: set[str] | None,
    raw_hours: int,
    interval_s: int,
) -> None:
    node_id = uuid.uuid4().hex
    keep(tx, node_id, sent)
    from_ms, to_ms = span[0], span[0] + span[1]
    raw_since = NOW - raw_hours * HOUR_MS
    found = ask(
        tx,
        node_id,
        from_ms,
        to_ms,
        points=points,
        wanted=wanted,
        raw_since=raw_since,
        interval_s=interval_s,
    )
    told = reference.history(
        sent,
        from_ms,
        to_ms,
        points=points,
        wanted=wanted,
        raw_since=raw_since,
        interval_s=interval_s,
    )
    reference.check(found, told)
    assert (found.from_, found.to, found.raw_since) == (from_ms, to_ms, raw_since)
    if found.step_ms > 1:
        assert len(found.ts) <= points


def steady(seconds: int, every_s: int, *, until: int = NOW) -> list[Sent]:
    times = range(until - seconds * 1000, until, every_s * 1000)
    return [
        Sent("a", seq, ts, {"cpu.pct": seq % 100, "mem.pct": 50}) for seq, ts in enumerate(times)
    ]


@pytest.mark.parametrize(
    ("minutes", "step_s"),
    # 300 buckets: and one more, as a span may begin within its first.
    [(24, 0), (26, 6), (35, 8), (45, 10), (60, 15), (120, 25), (360, 75), (1440, 300)],
)
def test_a_span_of_five_second_snapshots_comes_in_readable_steps(
    tx: Tx, minutes: int, step_s: int
) -> None:
    sent = steady(minutes * 60, 5)
    keep(tx, "n1", sent)
    found = ask(tx, "n1", NOW - minutes * MINUTE_MS - 1, NOW - 1)
    assert found.step_ms == (step_s * 1000 or 1)
    reference.check(found, reference.history(sent, NOW - minutes * MINUTE_MS - 1, NOW - 1))


def test_every_step_there_is(tx: Tx) -> None:
    """One span, seen in every number of points that makes another step of it."""
    sent = steady(3600, 1)
    keep(tx, "n1", sent)
    seen = set()
    for step_s in reference.STEPS_S:
        points = 3600 // step_s + 1
        found = ask(tx, "n1", NOW - HOUR_MS, NOW, points=points)
        reference.check(found, reference.history(sent, NOW - HOUR_MS, NOW, points=points))
        seen.add(found.step_ms // 1000)
    assert seen == set(reference.STEPS_S)


def test_a_watched_stretch_leaves_no_holes_beside_it(tx: Tx) -> None:
    """Ten minutes at its own rhythm, then five at one second: three seconds would fit the latter,
    and leave the former with more holes than points."""
    own = steady(600, 5, until=NOW - 300_000)
    watched = [
        Sent("a", 1000 + second, NOW - 300_000 + second * 1000, {"cpu.pct": 1})
        for second in range(300)
    ]
    keep(tx, "n1", own + watched)
    found = ask(tx, "n1", NOW - 900_000, NOW)
    assert found.step_ms == 5000
    assert None not in found.series["cpu.pct"].avg


def test_one_lost_snapshot_is_no_gap_and_an_hour_is(tx: Tx) -> None:
    sent = steady(60, 5)
    del sent[6]
    sent += steady(60, 5, until=NOW + HOUR_MS)
    sent = [snapshot._replace(seq=seq) for seq, snapshot in enumerate(sent)]
    keep(tx, "n1", sent)
    found = ask(tx, "n1", NOW - HOUR_MS, NOW + HOUR_MS)
    assert found.step_ms == 1
    assert found.series["mem.pct"].avg == [50] * 11 + [None] + [50] * 12
    assert found.ts[11] == found.ts[10] + 5000


def test_a_node_that_pushes_seldom_is_not_made_of_gaps(tx: Tx) -> None:
    keep(tx, "n1", steady(3600, 60))
    assert None not in ask(tx, "n1", NOW - HOUR_MS, NOW, interval_s=60).series["cpu.pct"].avg
    assert None in ask(tx, "n1", NOW - HOUR_MS, NOW, interval_s=5).series["cpu.pct"].avg


def test_a_seldom_push_over_two_days_is_told_one_by_one(tx: Tx) -> None:
    """The step of such a span is that of rollups, and still every snapshot has its place."""
    sent = steady(48 * 3600, 900)
    keep(tx, "n1", sent)
    found = ask(tx, "n1", NOW - 48 * HOUR_MS, NOW, interval_s=900)
    assert found.step_ms == 1
    assert len(found.ts) == 192


def test_a_bucket_reads_the_same_in_whatever_span_it_is_seen(tx: Tx) -> None:
    keep(tx, "n1", steady(7200, 5))
    first = ask(tx, "n1", NOW - HOUR_MS, NOW, points=70)
    shifted = ask(tx, "n1", NOW - HOUR_MS + 123_456, NOW + 123_456, points=70)
    assert first.step_ms == shifted.step_ms == 60_000
    both = set(first.ts) & set(shifted.ts)
    assert len(both) == 58
    for ts in both:
        assert (
            first.series["cpu.pct"].avg[first.ts.index(ts)]
            == shifted.series["cpu.pct"].avg[shifted.ts.index(ts)]
        )


def test_who_is_a_moment_late_still_gets_every_snapshot(tx: Tx) -> None:
    keep(tx, "n1", steady(600, 5))
    for late_ms, step_ms in ((59_000, 1), (61_000, 600_000)):
        found = ask(tx, "n1", NOW - 600_000, NOW, raw_since=NOW - 600_000 + late_ms)
        assert found.step_ms == step_ms


def test_averages_come_at_the_resolution_of_their_metric(tx: Tx) -> None:
    sent = [
        Sent("a", seq, NOW + seq * 1000, {"cpu.pct": seq % 3, "new.thing": seq % 3})
        for seq in range(10)
    ]
    keep(tx, "n1", sent)
    found = ask(tx, "n1", NOW, NOW + 10_000, points=1)
    assert found.series["cpu.pct"].avg == [0.9]
    assert found.series["new.thing"].avg == [0.9]  # not in the table: nothing is rounded away


def test_values_that_nobody_rounded_keep_their_order(tx: Tx) -> None:
    keep(tx, "n1", [Sent("a", seq, NOW + seq, {"cpu.pct": 3.14159}) for seq in range(3)])
    (line,) = ask(tx, "n1", NOW, NOW + 1000, points=1).series.values()
    assert (line.min, line.avg, line.max) == ([3.14159], [3.14159], [3.14159])


def test_what_nobody_measured_is_simply_not_there(tx: Tx) -> None:
    keep(tx, "n1", steady(60, 5))
    found = ask(tx, "n1", NOW - 60_000, NOW, wanted={"no.such", "cpu.core_pct/9"})
    assert found.series == {}
    assert len(found.ts) == 12
    nothing = ask(tx, "n2", NOW - 60_000, NOW)
    assert (nothing.ts, nothing.series, nothing.step_ms) == ([], {}, 1)


def test_the_largest_numbers_arrive(tx: Tx) -> None:
    for place, number in enumerate((2**53 - 1, 1e21, -0.0)):
        keep(tx, "n1", [Sent("a", place, NOW + place, {"disk.used_bytes//": number})])
    (line,) = ask(tx, "n1", NOW, NOW + 10).series.values()
    assert line.avg == [2**53 - 1, 1e21, 0]
