from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.simulation.latency import Latencies


def nearest_rank(values: list[int], percent: float) -> int:
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


@given(st.lists(st.integers(0, 60_000_000), min_size=1), st.sampled_from([1, 50, 90, 99, 100]))
def test_percentiles_are_right_to_one_percent(values_us: list[int], percent: float) -> None:
    latencies = Latencies()
    for value in values_us:
        latencies.add((value + 0.5) / 1e6)
    exact_ms = nearest_rank(values_us, percent) / 1000
    assert latencies.percentile_ms(percent) == pytest.approx(exact_ms, rel=0.01, abs=0.001)
    assert latencies.percentiles().max == max(values_us) / 1000


def test_without_a_latency_all_is_zero() -> None:
    percentiles = Latencies().percentiles()
    assert (percentiles.p50, percentiles.p99, percentiles.max) == (0, 0, 0)


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 3_000.0])
def test_odd_latencies_are_counted(seconds: float) -> None:
    latencies = Latencies()
    latencies.add(seconds)
    assert latencies.count == 1
    assert latencies.percentile_ms(50) == pytest.approx(max(0.0, seconds) * 1000, rel=0.01)
