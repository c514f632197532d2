"""When a snapshot was really taken, and how long it is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_collector.history import rules
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
