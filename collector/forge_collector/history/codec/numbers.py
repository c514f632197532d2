"""Numbers as whole steps, and back, exactly.

A series of measured values lies on a grid: tenths of a percent, whole MiB, rates of three leading
digits. Which grid is found from the values themselves, so nothing depends on the table of metrics,
and what lies on no grid is kept bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from typing import Final, NamedTuple

import numpy as np

from forge_collector.history.columns import Floats, Integers

_FRACTIONS: Final = (1, 10, 100, 1000, 1_000_000)
_EXACT: Final = 2**53
# A grid of leading digits that is hardly coarser than its values only blurs their steps.
_WORTH_LEADING: Final = 400


class Grid(IntEnum):
    """How steps stand for numbers. The numbers are part of the format."""

    STEPS = 0  # number = steps * factor / fraction
    LEADING = 1  # number = what stands at this place of the grid of leading digits / fraction
    BITS = 2  # steps are the bits of a double


class Scale(NamedTuple):
    """What turns whole steps into numbers."""

    grid: Grid
    fraction: int
    factor: int


def to_steps(numbers: Floats) -> tuple[Scale, Integers]:
    """Return finite numbers as whole steps on the coarsest grid that holds each of them."""
    for fraction in _FRACTIONS:
        with np.errstate(over="ignore"):
            scaled = np.rint(numbers * fraction)
        if (np.abs(scaled) < _EXACT).all() and (scaled / fraction == numbers).all():
            return _coarsest(scaled.astype(np.int64), fraction)
    return Scale(Grid.BITS, 1, 1), numbers.view(np.int64).copy()


def to_columns(scales: Sequence[Scale], steps: Integers) -> Floats:
    """Return the numbers that steps stand for, one series a row, each with its scale."""
    whole = steps
    for row, scale in enumerate(scales):
        if scale.grid is Grid.LEADING:
            whole[row] = _leading()[steps[row]]
    whole *= np.array([scale.factor for scale in scales], np.int64)[:, None]
    columns: Floats = whole / np.array([scale.fraction for scale in scales])[:, None]
    for row, scale in enumerate(scales):
        if scale.grid is Grid.BITS:
            columns[row] = steps[row].view(np.float64)
    return columns


def _coarsest(whole: Integers, fraction: int) -> tuple[Scale, Integers]:
    if len(whole) and whole.min() >= 0 and whole.max() >= _WORTH_LEADING:
        places = _to_places(whole)
        if places is not None:
            return Scale(Grid.LEADING, fraction, 1), places
    factor = max(1, int(np.gcd.reduce(whole))) if len(whole) else 1
    return Scale(Grid.STEPS, fraction, factor), whole // factor


@cache
def _leading() -> Integers:
    """Return the grid that forge_shared.metrics.leading rounds to, up to 2⁵³: every number to 100,
    then in each decade steps of 2, 5 and 10 in the three leading digits."""
    decade = np.concatenate(
        [np.arange(100, 200, 2), np.arange(200, 500, 5), np.arange(500, 1000, 10)]
    )
    grid = np.concatenate([np.arange(100), *(decade * 10**power for power in range(14))])
    return grid[grid < _EXACT]


def _to_places(whole: Integers) -> Integers | None:
    """Return where in the grid of leading digits the numbers stand, None if one does not."""
    grid = _leading()
    places = np.searchsorted(grid, whole)
    return places if (grid.take(places, mode="clip") == whole).all() else None
