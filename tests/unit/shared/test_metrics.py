"""The table of metrics, and rounding to its resolutions."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_shared import metrics
from forge_shared.metrics import METRICS, Kind, Metric

keys = st.sampled_from([*METRICS, "disk.pct//home", "cpu.core_pct/7", "newer.metric", "x/y"])
numbers = st.floats(min_value=-1e12, max_value=1e12) | st.integers(-(10**12), 10**12)


@pytest.mark.parametrize("row", METRICS.values(), ids=METRICS)
def test_a_row_is_well_formed(row: Metric) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+", row.name)
    assert METRICS[row.name] is row
    assert row.title
    assert row.title[0].isupper()
    assert row.unit
    assert row.kind in Kind
    # A step is whole, or a whole number of steps make one: rounding relies on it.
    step = row.resolution
    assert step == int(step) if step >= 1 else abs(1 / step - round(1 / step)) < 1e-9
    assert row.instance is None or row.instance.isidentifier()


def test_rows_are_unique() -> None:
    assert max(Counter(row.name for row in metrics._ROWS).values()) == 1
    assert len(METRICS) == len(metrics._ROWS)


def test_rates_say_so_in_their_names_and_units() -> None:
    for row in METRICS.values():
        assert (row.kind is Kind.RATE) == row.name.endswith("_per_s") == row.unit.endswith("/s")


@settings(max_examples=500, deadline=None)
@given(keys, numbers)
def test_rounding_stays_within_half_a_resolution_and_of_rates_within_an_eightieth(
    key: str, value: float
) -> None:
    within = metrics.resolution(key) / 2 + abs(value) * 1e-15
    if metrics.split(key)[0].endswith("_per_s"):
        within += abs(value) / 80  # 202.5 becomes 200 or 205
    assert abs(metrics.rounded(key, value) - value) <= within


@settings(max_examples=500, deadline=None)
@given(keys, numbers)
def test_rounding_twice_changes_nothing(key: str, value: float) -> None:
    once = metrics.rounded(key, value)
    again = metrics.rounded(key, once)
    assert (again, type(again)) == (once, type(once))


@settings(max_examples=500, deadline=None)
@given(keys, st.floats(min_value=-1e9, max_value=1e9))
def test_rounding_leaves_no_digits_that_say_nothing(key: str, value: float) -> None:
    step = metrics.resolution(key)
    rounded = metrics.rounded(key, value)
    if step >= 1:
        assert isinstance(rounded, int)
        assert rounded % step == 0
    else:
        digits = len(repr(step).partition(".")[2])
        assert len(repr(rounded).partition(".")[2]) <= digits


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("cpu.pct", 3.1999999, 3.2),
        ("load.1m", 0.1 + 0.2, 0.3),
        ("temp.celsius/cpu", 41.3, 41.5),
        ("cpu.core_pct/3", 12.3, 12.5),
        ("mem.used_bytes", 1_600_000, 2 * 1024 * 1024),
        ("net.rx_bytes_per_s/eth0", 99.4, 99),
        ("net.rx_bytes_per_s/eth0", 1023.6, 1020),
        ("net.rx_bytes_per_s/eth0", 345_678, 345_000),
        ("net.rx_bytes_per_s/eth0", 8_765_432, 8_800_000),
        ("net.rx_bytes_per_s/eth0", 999_999, 1_000_000),
        ("disk.reads_per_s/sda", 19.94, 20.0),
        ("disk.reads_per_s/sda", 7.36, 7.4),
        ("unknown.thing", 1.4, 1),
    ],
)
def test_rounding_by_example(key: str, value: float, expected: float) -> None:
    assert metrics.rounded(key, value) == expected


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_of_two_rates_the_greater_stays_no_smaller(one: int, other: int) -> None:
    less, more = sorted([one, other])
    assert metrics.leading(less) <= metrics.leading(more)


def test_resolution_is_the_tables_and_one_for_what_it_does_not_know() -> None:
    assert metrics.resolution("cpu.pct") == 0.1
    assert metrics.resolution("cpu.core_pct/31") == 0.5
    assert metrics.resolution("not.in.the.table") == 1.0


@pytest.mark.parametrize("key", ["", "CPU.pct", "cpu.pct/", "cpu.pct/\n", "k" * 193])
def test_resolution_refuses_what_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match="lower-case words"):
        metrics.resolution(key)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("cpu.pct", ("cpu.pct", None)),
        ("disk.pct//", ("disk.pct", "/")),
        ("disk.pct//var/log", ("disk.pct", "/var/log")),
        ("net.rx_bytes_per_s/eth0", ("net.rx_bytes_per_s", "eth0")),
    ],
)
def test_the_instance_begins_after_the_first_slash(
    key: str, expected: tuple[str, str | None]
) -> None:
    assert metrics.split(key) == expected
