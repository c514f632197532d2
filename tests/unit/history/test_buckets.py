"""Buckets of samples, and buckets merged, against lists and loops."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_collector.history import buckets, columns
from forge_collector.history.buckets import Buckets
from forge_collector.history.columns import Columns

KEYS = ("cpu.pct", "mem.used_bytes", "disk.pct//home")
EPOCH = 1_800_000_000_000

Snapshot = tuple[int, dict[str, float]]

times = st.integers(EPOCH - 40_000, EPOCH + 40_000)
numbers = st.integers(-(2**53), 2**53).map(lambda steps: steps / 10) | st.sampled_from([0.0, 0.1])
snapshots = st.tuples(times, st.dictionaries(st.sampled_from(KEYS), numbers))
histories = st.lists(snapshots, max_size=30)
steps = st.sampled_from([1, 1000, 2000, 6000, 30_000])


def of(history: Sequence[Snapshot]) -> Columns:
    return columns.of_snapshots(
        range(len(history)), [ts for ts, _ in history], [values for _, values in history]
    )


def check(found: Buckets, history: Sequence[Snapshot], step_ms: int) -> None:
    """Hold buckets against the same made with loops."""
    starts = sorted({ts // step_ms * step_ms for ts, _ in history})
    inside = {
        start: [values for ts, values in history if start <= ts < start + step_ms]
        for start in starts
    }
    assert found.step_ms == step_ms
    assert found.ts.tolist() == starts
    assert found.snapshots.tolist() == [len(inside[start]) for start in starts]
    assert found.series.keys() == {key for _, values in history for key in values}
    for key, series in found.series.items():
        for place, start in enumerate(starts):
            some = [values[key] for values in inside[start] if key in values]
            assert series.samples[place] == len(some)
            if not some:
                assert np.isnan([series.avg[place], series.min[place], series.max[place]]).all()
                continue
            assert (series.min[place], series.max[place]) == (min(some), max(some))
            assert series.min[place] <= series.avg[place] <= series.max[place]
            close = max(map(abs, some)) * 1e-12
            assert series.avg[place] == pytest.approx(fmean(some), rel=0, abs=close)


@given(history=histories, step_ms=steps)
def test_buckets_hold_what_lies_in_them(history: list[Snapshot], step_ms: int) -> None:
    check(Buckets.of_samples(of(history), step_ms), history, step_ms)


@given(
    parts=st.lists(st.tuples(histories, st.sampled_from([1, 1000, 2000, 6000])), max_size=4),
    step_ms=st.sampled_from([6000, 30_000]),
)
def test_merged_buckets_are_those_of_everything(
    parts: list[tuple[list[Snapshot], int]], step_ms: int
) -> None:
    merged = Buckets.merged(
        [Buckets.of_samples(of(history), own_step_ms) for history, own_step_ms in parts], step_ms
    )
    check(merged, [snapshot for history, _ in parts for snapshot in history], step_ms)


@given(history=histories, cut=st.integers(0, 30))
def test_where_a_history_is_cut_leaves_no_trace(history: list[Snapshot], cut: int) -> None:
    """Within one bucket too, as where rollups end and fresh snapshots begin."""
    halves = [Buckets.of_samples(of(part), 6000) for part in (history[:cut], history[cut:])]
    check(Buckets.merged(halves, 6000), history, 6000)


@given(history=histories, step_ms=steps)
def test_buckets_that_are_taken_are_those(history: list[Snapshot], step_ms: int) -> None:
    found = Buckets.of_samples(of(history), step_ms)
    which = found.ts >= EPOCH
    kept = [snapshot for snapshot in history if snapshot[0] // step_ms * step_ms >= EPOCH]
    check(found.taken(which), kept, step_ms)


def test_no_samples_no_buckets() -> None:
    assert len(Buckets.of_samples(columns.NOTHING, 1000)) == 0
    assert len(Buckets.merged([], 1000)) == 0
    assert Buckets.merged([buckets.nothing(1000)], 2000).step_ms == 2000


def test_steps_that_do_not_fit_are_refused() -> None:
    part = Buckets.of_samples(of([(EPOCH, {"cpu.pct": 1.0})]), 4000)
    with pytest.raises(ValueError, match="4000 ms do not fit into 6000 ms"):
        Buckets.merged([part], 6000)


def test_the_average_of_equal_values_is_that_value() -> None:
    """Three times 0.1 divided by three is a little more than 0.1."""
    history = [(EPOCH + 1000 * second, {"cpu.pct": 0.1}) for second in range(3)]
    found = Buckets.of_samples(of(history), 6000)
    assert found.series["cpu.pct"].avg.tolist() == [0.1]
    again = Buckets.merged([found, found], 6000)
    assert again.series["cpu.pct"].avg.tolist() == [0.1]
    assert again.series["cpu.pct"].samples.tolist() == [6]


def test_starts_are_even_and_ascending_where_history_is_not() -> None:
    history = [(EPOCH + second * 1000, {"cpu.pct": 1.0}) for second in (61, 3, 22, 60, 2)]
    found = Buckets.of_samples(of(history), 20_000)
    assert all(ts % 20_000 == 0 for ts in found.ts.tolist())
    assert all(before < after for before, after in pairwise(found.ts.tolist()))
