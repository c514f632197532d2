"""Numbers as whole steps, on the coarsest grid that holds them all."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_collector.history.codec import numbers
from forge_collector.history.codec.numbers import Grid, Scale
from forge_collector.history.columns import Floats, Integers
from forge_shared import metrics

EXACT = 2**53


def to_numbers(scale: Scale, steps: Integers) -> Floats:
    column: Floats = numbers.to_columns([scale], steps[None].copy())[0]
    return column


def test_the_grid_of_leading_digits_is_the_one_of_the_table_of_metrics() -> None:
    """Every number of the grid rounds to itself, and what lies between two to one of them."""
    grid = numbers._leading().tolist()
    assert grid[:101] == [*range(100), 100]
    assert grid == sorted(set(grid))
    assert EXACT * 0.99 < grid[-1] < EXACT
    for lower, upper in pairwise(grid[100:]):
        assert metrics.leading(lower) == lower
        middle = (lower + upper) // 2
        assert {metrics.leading(middle), metrics.leading(middle + 1)} <= {lower, upper}
    assert metrics.leading(grid[-1]) == grid[-1]


@given(steps=st.integers(0, EXACT - 1) | st.integers(0, 53).map(lambda power: 2**power - 1))
def test_every_rate_stands_on_the_grid(steps: int) -> None:
    rate = metrics.leading(steps)
    if rate < EXACT:
        scale, places = numbers.to_steps(np.array([float(rate), 400.0]))
        assert scale == Scale(Grid.LEADING, 1, 1)
        assert to_numbers(scale, places).tolist() == [rate, 400]


@pytest.mark.parametrize("power", range(16))
def test_rates_of_every_magnitude(power: int) -> None:
    draw = random.Random(power)
    some = [metrics.leading(round(draw.uniform(1, 9.99) * 10**power)) for _ in range(300)]
    some = [rate for rate in some if rate < EXACT]
    scale, places = numbers.to_steps(np.array([*some, 4e5]))
    assert scale.grid is Grid.LEADING
    assert to_numbers(scale, places).tolist() == [*some, 4e5]
    assert places.max() < 5000  # what they are good for: small steps for large rates


@pytest.mark.parametrize(
    ("series", "scale"),
    [
        ([1.0, 2.0, 7.0], Scale(Grid.STEPS, 1, 1)),
        ([0.0, 0.0], Scale(Grid.STEPS, 1, 1)),
        ([-3e6, 6e6], Scale(Grid.STEPS, 1, 3_000_000)),
        ([3.0 * 2**20, 9.0 * 2**20], Scale(Grid.STEPS, 1, 3 * 2**20)),
        ([0.5, 23.5], Scale(Grid.STEPS, 10, 5)),
        ([0.1, 100.0], Scale(Grid.LEADING, 10, 1)),
        ([0.1, 99.9], Scale(Grid.STEPS, 10, 1)),
        ([0.01, 0.02], Scale(Grid.STEPS, 100, 1)),
        ([0.000001], Scale(Grid.STEPS, 1_000_000, 1)),
        ([100.0, 1240.0], Scale(Grid.LEADING, 1, 1)),
        ([100.0, 1234.0], Scale(Grid.STEPS, 1, 2)),
        ([1 / 3], Scale(Grid.BITS, 1, 1)),
        ([2.0**53], Scale(Grid.BITS, 1, 1)),
        ([1e-7], Scale(Grid.BITS, 1, 1)),
    ],
)
def test_the_grid_that_is_found(series: list[float], scale: Scale) -> None:
    assert numbers.to_steps(np.array(series))[0] == scale


@settings(max_examples=500)
@given(
    series=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20)
    | st.lists(st.integers(-EXACT, EXACT).map(float), min_size=1, max_size=20)
    | st.lists(st.integers(-(10**10), 10**10).map(lambda n: n / 1000), min_size=1, max_size=20)
)
def test_steps_are_the_numbers_exactly(series: list[float]) -> None:
    scale, steps = numbers.to_steps(np.array(series))
    assert steps.dtype == np.int64
    assert to_numbers(scale, steps).tolist() == series
    if scale.grid is not Grid.BITS:
        assert np.abs(steps).max() < EXACT


def test_bits_keep_the_sign_of_zero() -> None:
    scale, steps = numbers.to_steps(np.array([-0.0, 1 / 3]))
    assert np.signbit(to_numbers(scale, steps)).tolist() == [True, False]


def test_series_of_all_kinds_side_by_side() -> None:
    series = [[1.0, 7.0], [0.5, 23.5], [100.0, 1240.0], [1 / 3, -0.0], [-3e6, 6e6]]
    found = [numbers.to_steps(np.array(each)) for each in series]
    steps = np.array([steps for _, steps in found])
    assert numbers.to_columns([scale for scale, _ in found], steps).tolist() == series
