"""Sealed buckets: what a rollup was made of comes back."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_collector.history import codec
from forge_collector.history.buckets import Buckets
from forge_collector.history.columns import Columns
from tests.unit.history.codec.some_columns import KEYS, columns, of

STEP_MS = 600_000


def assert_same(found: Buckets, expected: Buckets) -> None:
    assert found.step_ms == expected.step_ms
    assert found.ts.tolist() == expected.ts.tolist()
    assert found.snapshots.tolist() == expected.snapshots.tolist()
    assert found.series.keys() == expected.series.keys()
    for key, series in expected.series.items():
        for name, ours, theirs in zip(series._fields, found.series[key], series, strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs, f"{name} of {key}")


@st.composite
def buckets(draw: st.DrawFn) -> Buckets:
    """Buckets of snapshots in a day, some of which lack some series."""
    some = draw(columns())
    day = Columns(some.seq, some.ts % 86_400_000 + 1_800_000_000_000, some.values)
    bounded = {key: np.clip(column, -1e300, 1e300) for key, column in day.values.items()}
    found = Buckets.of_samples(Columns(day.seq, day.ts, bounded), STEP_MS)
    return found.with_rounded_averages() if draw(st.booleans()) else found


@settings(max_examples=100, deadline=None)
@given(some=buckets())
def test_buckets_come_back(some: Buckets) -> None:
    assert_same(codec.decode_buckets(codec.encode_buckets(some), STEP_MS), some)


@settings(max_examples=100, deadline=None)
@given(some=buckets(), wanted=st.sets(st.sampled_from(KEYS)))
def test_some_series_read_alone_are_as_among_all(some: Buckets, wanted: set[str]) -> None:
    found = codec.decode_buckets(codec.encode_buckets(some), STEP_MS).of_series(wanted.__contains__)
    series = {key: series for key, series in some.series.items() if key in wanted}
    assert_same(found, Buckets(STEP_MS, some.ts, some.snapshots, series))


def test_a_series_that_was_not_always_there_keeps_its_weight() -> None:
    nan = float("nan")
    some = Buckets.of_samples(
        of({"cpu.pct": [1.0] * 240, "disk.pct//mnt/a b": [nan] * 130 + [2.0] * 20 + [nan] * 90}),
        STEP_MS,
    )
    found = codec.decode_buckets(codec.encode_buckets(some), STEP_MS)
    assert found.series["disk.pct//mnt/a b"].samples.tolist() == [0, 20]
    assert found.series["cpu.pct"].samples.tolist() == found.snapshots.tolist() == [120, 120]


def test_the_same_buckets_make_the_same_bytes_in_whatever_order_their_series_come() -> None:
    some = Buckets.of_samples(of({"cpu.pct": [1.0, 2.0], "mem.pct": [5.0, 6.0]}), STEP_MS)
    turned = Buckets(STEP_MS, some.ts, some.snapshots, dict(reversed(list(some.series.items()))))
    assert codec.encode_buckets(turned) == codec.encode_buckets(some)
