"""Columns as hypothesis draws them, and whether two are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from forge_collector.history.columns import Columns, Floats
from forge_shared import metrics
from forge_shared.messages import EARLIEST_MS, LATEST_MS, MAX_SEQ

KEYS = (
    "cpu.pct",
    "cpu.core_pct/0",
    "mem.used_bytes",
    "net.rx_bytes_per_s/eth0",
    "disk.pct//mnt/a b",
    "uptime.s",
    "new.thing/#ts ü\u00a0",
)
_EXACT = 2**53

_wholes = st.integers(-_EXACT, _EXACT).map(float)
_small = st.integers(-9, 9).map(float)
_any = st.floats(allow_nan=False, allow_infinity=False)
_hard = st.sampled_from(
    [
        *(0.0, -0.0, 5e-324, -5e-324, 2.2e-308, 1.7976931348623157e308, -1.7976931348623157e308),
        *(1e21, 2.0**63, -(2.0**63), _EXACT - 1.0, _EXACT + 0.0, 0.1, 1 / 3, 1e-6, 1e-7),
    ]
)
_decimals = st.tuples(st.integers(-(10**9), 10**9), st.sampled_from([2, 10, 100, 1000, 10**6])).map(
    lambda drawn: drawn[0] / drawn[1]
)
_measured = st.tuples(st.sampled_from(KEYS[:6]), st.floats(0, 1e13)).map(
    lambda drawn: float(metrics.rounded(*drawn))
)


@st.composite
def _lines(draw: st.DrawFn, rows: int) -> list[float]:
    """A counter, with a slope and a stretch where it stands still."""
    first, slope = draw(_wholes) / 4, draw(st.integers(-(2**47), 2**47))
    stands = draw(st.integers(0, rows))
    return [float(int(first) + slope * min(row, stands)) for row in range(rows)]


def numbers(rows: int) -> st.SearchStrategy[list[float]]:
    """A series of so many numbers of one kind, or of all kinds."""
    kinds = [_wholes, _small, _any, _hard, _decimals, _measured]
    mixed = st.one_of(kinds)
    return st.one_of(
        *(st.lists(kind, min_size=rows, max_size=rows) for kind in [*kinds, mixed]),
        mixed.map(lambda number: [number] * rows),
        _lines(rows),
    )


@st.composite
def _series(draw: st.DrawFn, rows: int, earlier: Sequence[list[float]]) -> list[float]:
    """A series for itself, or one that follows from those before it."""
    if not earlier or not draw(st.booleans()):
        return draw(numbers(rows))
    first, second = draw(st.sampled_from(earlier)), draw(st.sampled_from(earlier))
    with np.errstate(over="ignore", invalid="ignore"):
        mixed = np.rint(
            np.array(first) * draw(st.sampled_from([1, -1, 0.5, 3, 1e-3, 0.3333]))
            + np.array(second) * draw(st.sampled_from([0, 1, -2, 0.25]))
            + np.array(draw(st.lists(_small, min_size=rows, max_size=rows)))
        )
    return [number if np.isfinite(number) else 1.5 for number in mixed.tolist()]


@st.composite
def columns(draw: st.DrawFn, most_rows: int = 24) -> Columns:
    rows = draw(st.integers(1, most_rows))
    values: dict[str, Floats] = {}
    drawn: list[list[float]] = []
    for key in draw(st.lists(st.sampled_from(KEYS), unique=True)):
        series = draw(_series(rows, drawn))
        drawn.append(series)
        column = np.array(series)
        is_hole = np.array(draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
        if draw(st.booleans()) and not is_hole.all():
            column[is_hole] = np.nan
        values[key] = column
    seqs = draw(st.lists(st.integers(0, MAX_SEQ), min_size=rows, max_size=rows))
    times = draw(st.lists(st.integers(EARLIEST_MS, LATEST_MS), min_size=rows, max_size=rows))
    if draw(st.booleans()):
        seqs, times = sorted(seqs), sorted(times)
    return Columns(np.array(seqs, np.int64), np.array(times, np.int64), values)


def of(values: Mapping[str, Sequence[float] | NDArray[Any]]) -> Columns:
    """Return columns of these series, five seconds apart."""
    rows = max(len(series) for series in values.values())
    seq = np.arange(rows, dtype=np.int64)
    return Columns(
        seq,
        1_800_000_000_000 + 5000 * seq,
        {key: np.array(series, np.float64) for key, series in values.items()},
    )


def assert_same(found: Columns, expected: Columns) -> None:
    """Every number equal, and each hole where it was. Zero has no sign here."""
    assert found.seq.dtype == found.ts.dtype == np.int64
    assert found.seq.tolist() == expected.seq.tolist()
    assert found.ts.tolist() == expected.ts.tolist()
    assert list(found.values) == list(expected.values)
    for key, column in expected.values.items():
        assert found.values[key].dtype == np.float64
        np.testing.assert_array_equal(found.values[key], column, key)
