"""When a snapshot was really taken, and how long it is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_collector.history import rules
from forge_collector.history.rules import Span
from forge_shared.messages import EARLIEST_MS, LATEST_MS

HOUR_MS = 3_600_000
SPAN_MS = LATEST_MS - EARLIEST_MS

times = st.integers(EARLIEST_MS, LATEST_MS)
offsets = st.none() | st.integers(-SPAN_MS, SPAN_MS)


@pytest.mark.parametrize(
    ("offset_ms", "significant"),
    [
        (None, None),
        (0, None),
        (5_000, None),
        (-5_000, None),
        (5_001, 5_001),
        (-5_001, -5_001),
        (-HOUR_MS, -HOUR_MS),
    ],
)
def test_an_offset_matters_beyond_five_seconds(
    offset_ms: int | None, significant: int | None
) -> None:
    assert rules.significant_offset(offset_ms) == significant


def test_a_clock_that_is_an_hour_ahead_is_put_right() -> None:
    collectors_now = 1_800_000_000_000
    nodes_now = collectors_now + HOUR_MS
    assert rules.corrected(nodes_now, collectors_now - nodes_now) == collectors_now


def test_without_a_measured_offset_nothing_is_corrected() -> None:
    assert rules.corrected(1_800_000_000_000, None) == 1_800_000_000_000


@given(ts=times, offset_ms=offsets)
def test_a_correction_is_all_of_the_offset_or_nothing(ts: int, offset_ms: int | None) -> None:
    moved = rules.corrected(ts, offset_ms) - ts
    assert moved in {0, offset_ms}
    assert abs(moved) > 5_000 or moved == 0


@given(earlier=times, later=times, offset_ms=offsets)
def test_a_correction_keeps_the_order(earlier: int, later: int, offset_ms: int | None) -> None:
    earlier, later = sorted((earlier, later))
    assert rules.corrected(earlier, offset_ms) <= rules.corrected(later, offset_ms)


@given(ts=times, offset_ms=offsets, received_at=times)
def test_nothing_is_observed_in_the_future(
    ts: int, offset_ms: int | None, received_at: int
) -> None:
    observed_at = rules.observed_at(ts, offset_ms, received_at)
    assert observed_at <= received_at
    assert observed_at in {received_at, rules.corrected(ts, offset_ms)}


@given(ts=times, offset_ms=offsets, received_at=times)
def test_whatever_it_claims_a_snapshot_is_gone_48_hours_after_it_came(
    ts: int, offset_ms: int | None, received_at: int
) -> None:
    much_later = received_at + 48 * HOUR_MS + 1
    assert rules.observed_at(ts, offset_ms, received_at) < rules.kept_since(much_later)


def test_hours_kept() -> None:
    assert rules.kept_since(100 * HOUR_MS) == 52 * HOUR_MS
    assert rules.kept_since(100 * HOUR_MS, hours_kept=1) == 99 * HOUR_MS


# --- steps --------------------------------------------------------------------------------------

READABLE_S = (
    *(2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 25, 30, 40, 50),
    *(60, 75, 100, 120, 150, 200, 300, 600),
)


@pytest.mark.parametrize(
    ("hours", "points", "step_s"),
    [
        (1 / 12, 300, 2),
        (1 / 4, 300, 3),
        (1, 300, 12),
        (6, 300, 75),
        (24, 300, 300),
        (48, 300, 600),
        (48, 3600, 50),
        (30 * 24, 300, 9000),
        (30 * 24, 3600, 1200),
    ],
)
def test_the_step_of_what_people_look_at(hours: float, points: int, step_s: int) -> None:
    to_ms = 1_800_000_000_000
    span = Span(to_ms - round(hours * HOUR_MS), to_ms)
    assert rules.step_ms(span, points, 0) == step_s * 1000


def buckets(span: Span, step_ms: int) -> int:
    return -(-span.to_ms // step_ms) - span.from_ms // step_ms


@given(
    from_ms=st.integers(0, LATEST_MS),
    length_ms=st.integers(0, 400 * 24 * HOUR_MS) | st.integers(0, HOUR_MS),
    points=st.integers(1, rules.MAX_POINTS),
    at_least_ms=st.sampled_from([0, 1000, 5200, 90_000, 600_000, 900_000]),
)
def test_the_step_is_the_smallest_that_will_do(
    from_ms: int, length_ms: int, points: int, at_least_ms: int
) -> None:
    span = Span(from_ms, from_ms + length_ms)
    step_ms = rules.step_ms(span, points, at_least_ms)
    assert step_ms >= at_least_ms
    assert buckets(span, step_ms) <= points
    smaller = [*READABLE_S, *range(1200, step_ms // 1000, 600)]
    assert step_ms // 1000 in {*smaller, step_ms // 600_000 * 600}
    for other_s in smaller:
        if at_least_ms <= other_s * 1000 < step_ms:
            assert buckets(span, other_s * 1000) > points


@given(from_ms=times, length_ms=st.integers(0, SPAN_MS), step_s=st.sampled_from(READABLE_S))
def test_a_widened_span_is_whole_steps_that_hold_it(
    from_ms: int, length_ms: int, step_s: int
) -> None:
    span, step_ms = Span(from_ms, from_ms + length_ms), step_s * 1000
    widened = span.widened(step_ms)
    assert widened.from_ms % step_ms == widened.to_ms % step_ms == 0
    assert 0 <= span.from_ms - widened.from_ms < step_ms
    assert 0 <= widened.to_ms - span.to_ms < step_ms


@pytest.mark.parametrize(("interval_s", "gap_s"), [(1, 15), (5, 15), (6, 18), (60, 180)])
def test_a_gap_is_three_intervals_and_fifteen_seconds(interval_s: int, gap_s: int) -> None:
    assert rules.gap_ms(interval_s) == gap_s * 1000


@pytest.mark.parametrize(
    ("key", "wanted", "is_wanted"),
    [
        ("cpu.pct", None, True),
        ("cpu.pct", {"cpu.pct"}, True),
        ("cpu.pct", {"cpu"}, False),
        ("cpu.core_pct/1", {"cpu.core_pct"}, True),
        ("cpu.core_pct/1", {"cpu.core_pct/1"}, True),
        ("cpu.core_pct/1", {"cpu.core_pct/10"}, False),
        ("disk.pct//", {"disk.pct//"}, True),
        ("disk.pct//home", {"disk.pct//"}, False),
    ],
)
def test_a_series_is_asked_for_by_its_key_or_its_metric(
    key: str, wanted: set[str] | None, is_wanted: bool
) -> None:
    assert rules.is_wanted(key, wanted) is is_wanted
