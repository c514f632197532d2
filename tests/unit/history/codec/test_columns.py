"""Sealed columns: what comes out is what went in, number by number."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_collector.history import codec
from forge_collector.history.columns import Columns, of_snapshots
from forge_shared import metrics
from tests.unit.history.codec import some_columns
from tests.unit.history.codec.some_columns import assert_same, columns, of

DAY_OF_5_S = 17_280


def there_and_back(some: Columns, *, is_thorough: bool = True) -> Columns:
    return codec.decode_columns(codec.encode_columns(some, is_thorough=is_thorough))


@settings(max_examples=200, deadline=None)
@given(some=columns(), is_thorough=st.booleans())
def test_nothing_is_lost_and_nothing_is_added(some: Columns, is_thorough: bool) -> None:
    assert_same(there_and_back(some, is_thorough=is_thorough), some)


@settings(max_examples=60, deadline=None)
@given(some=columns(), is_thorough=st.booleans())
def test_the_same_columns_make_the_same_bytes(some: Columns, is_thorough: bool) -> None:
    first = codec.encode_columns(some, is_thorough=is_thorough)
    assert codec.encode_columns(some, is_thorough=is_thorough) == first


@settings(max_examples=100, deadline=None)
@given(some=columns())
def test_packing_again_what_was_unpacked_changes_nothing(some: Columns) -> None:
    sealed = codec.encode_columns(some)
    assert codec.encode_columns(codec.decode_columns(sealed)) == sealed


@settings(max_examples=150, deadline=None)
@given(some=columns(), wanted=st.sets(st.sampled_from(some_columns.KEYS)), quick=st.booleans())
def test_some_series_read_alone_are_as_among_all(
    some: Columns, wanted: set[str], quick: bool
) -> None:
    found = codec.decode_columns(
        codec.encode_columns(some, is_thorough=not quick), wanted.__contains__
    )
    expected = {key: column for key, column in some.values.items() if key in wanted}
    assert_same(found, Columns(some.seq, some.ts, expected))


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(
        st.dictionaries(st.sampled_from(sorted(metrics.METRICS)), st.floats(0, 1e12), max_size=6),
        min_size=1,
        max_size=30,
    )
)
def test_values_at_the_resolution_of_their_metric_come_back_to_the_last_digit(
    values: list[dict[str, float]],
) -> None:
    sent = [{name: metrics.rounded(name, value) for name, value in each.items()} for each in values]
    some = of_snapshots(range(len(sent)), [1_800_000_000_000 + n for n in range(len(sent))], sent)
    found = there_and_back(some)
    for place, each in enumerate(sent):
        read = {
            key: column[place]
            for key, column in found.values.items()
            if column[place] == column[place]
        }
        assert read == each


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 8, 9, 720, 4320])
def test_any_number_of_rows(rows: int) -> None:
    some = machine(rows, random.Random(rows))
    assert_same(there_and_back(some), some)
    assert_same(there_and_back(some, is_thorough=False), some)


def test_a_day_in_one_chunk() -> None:
    whole = machine(DAY_OF_5_S, random.Random(5))
    some = Columns(whole.seq, whole.ts, {key: whole.values[key] for key in list(whole.values)[:6]})
    assert_same(there_and_back(some), some)


def test_as_many_series_as_a_snapshot_may_hold() -> None:
    draw = random.Random(6)
    values: dict[str, Sequence[float]] = {
        f"cpu.core_pct/{core}": [draw.randrange(200) / 2 for _ in range(60)] for core in range(1024)
    }
    sealed = codec.encode_columns(of(values))
    assert_same(codec.decode_columns(sealed), of(values))
    one = codec.decode_columns(sealed, lambda key: key == "cpu.core_pct/1023")
    assert one.values["cpu.core_pct/1023"].tolist() == values["cpu.core_pct/1023"]


@pytest.mark.parametrize(
    "series",
    [
        [20_000_001.0 * row for row in range(10)],  # a change that single precision cannot hold
        [2.0**52 - row for row in range(9)],
        [float((-1) ** row * (2**53 - 1)) for row in range(9)],
        [1e308, 1.0, -1e308],
        [5e-324, 1.0, -5e-324],
        [0.0, -0.0, 0.1],
        [2.0**63, 1.0, -(2.0**63)],
        [9.4e21] * 5,
        [0.1 + 0.2] * 5,
        [float("nan"), 1.0, float("nan")],
        [1.0],
    ],
    ids=str,
)
def test_numbers_at_the_edge(series: list[float]) -> None:
    for is_thorough in (True, False):
        some = of({"new.thing": series})
        assert_same(there_and_back(some, is_thorough=is_thorough), some)


def test_snapshots_hours_apart_keep_their_times() -> None:
    seq = np.arange(9)
    some = Columns(seq, 1_700_000_000_000 + seq * 20_000_001, {})
    assert there_and_back(some).ts.tolist() == some.ts.tolist()


@settings(max_examples=100, deadline=None)
@given(
    weights=st.lists(
        st.sampled_from([1.0, 0.5, -0.5, 0.25, 1 / 3, 1e-6, 7.7, -1.0]), min_size=3, max_size=3
    ),
    offset=st.sampled_from([0.0, 0.5, -0.5, 0.49999999, 0.25]),
    seed=st.integers(0, 2**32),
)
def test_what_others_tell_to_within_half_a_step_comes_back_exactly(
    weights: list[float], offset: float, seed: int
) -> None:
    """Predictions on the border between two steps: both sides must fall to the same."""
    draw = np.random.default_rng(seed)
    sources = np.cumsum(draw.integers(-50, 51, (3, 80)), axis=1) + 5000.0
    told = np.rint(offset + sum(weight * row for weight, row in zip(weights, sources, strict=True)))
    some = of(
        {"a.a": sources[0].tolist(), "a.b": sources[1].tolist(), "a.c": sources[2].tolist()}
        | {"a.d": told.tolist(), "a.e": (told + 1).tolist()}
    )
    assert_same(there_and_back(some), some)


def test_what_follows_from_others_takes_hardly_any_room() -> None:
    """Available memory from used, the whole from its parts: told by the series before them."""
    draw = np.random.default_rng(8)
    used, user = draw.integers(0, 1 << 14, 720), draw.integers(0, 500, 720)
    system = draw.integers(0, 500, 720)
    sources = {"mem.used_bytes": used, "cpu.user_pct": user / 10, "cpu.system_pct": system / 10}
    derived = {
        "mem.available_bytes": (1 << 15) - used,
        "cpu.pct": (user + system) / 10,
    }
    alone = len(codec.encode_columns(of(sources)))
    assert len(codec.encode_columns(of(sources | derived))) < alone + 200
    assert len(codec.encode_columns(of(derived))) > 1000


def test_a_series_that_stands_still_takes_hardly_any_room() -> None:
    still = {f"disk.total_bytes//mnt/{n}": [float(10**12 + n)] * 720 for n in range(20)}
    assert len(codec.encode_columns(of(still))) < 800


def test_a_long_chain_of_sources_is_followed_to_its_end() -> None:
    """Each series follows from the one before it; the last alone asks for all of them."""
    draw = np.random.default_rng(9)
    chain = [np.cumsum(draw.integers(-100, 101, 300))]
    for _ in range(60):
        chain.append(chain[-1] + draw.integers(-1, 2, 300))
    values = {f"a.b/{place}": series.tolist() for place, series in enumerate(chain)}
    sealed = codec.encode_columns(of(values))
    for place in (60, 31, 0):
        key = f"a.b/{place}"
        found = codec.decode_columns(sealed, {key}.__contains__)
        assert list(found.values) == [key]
        assert found.values[key].tolist() == values[key]


def test_reading_one_series_of_many_does_not_unpack_the_others() -> None:
    """One that follows from none is read alone, whatever is wrong with the rest."""
    draw = np.random.default_rng(10)
    values = {f"a.b/{n}": draw.integers(0, 9, 50).tolist() for n in range(20)}
    sealed = codec.encode_columns(of(values), is_thorough=False)
    found = codec.decode_columns(sealed, lambda _: False)
    assert (len(found), found.values) == (50, {})


def machine(rows: int, draw: random.Random) -> Columns:
    """A machine's day: its own rhythm with gaps, rates and gauges, a disk that comes and goes."""
    ts, cpu, used, received = 1_800_000_000_000, 20.0, 8000, 1e5
    times: list[int] = []
    snapshots: list[dict[str, float]] = []
    has_disk = True
    for row in range(rows):
        ts += draw.choices([5000, 5001, 4999, 1000, 3_600_000], [80, 8, 8, 3, 1])[0]
        times.append(ts)
        cpu = min(100.0, max(0.0, cpu + draw.gauss(0, 3)))
        used = max(0, used + draw.choice([0, 0, 1, -1, 30]))
        received = abs(received * draw.lognormvariate(0, 0.5))
        has_disk ^= draw.random() < 0.02
        values = {
            "cpu.pct": cpu,
            "cpu.user_pct": cpu * 0.7,
            "cpu.core_pct/0": cpu * draw.random(),
            "mem.used_bytes": used * 2.0**20,
            "mem.available_bytes": (16384 - used) * 2.0**20,
            "net.rx_bytes_per_s/eth0": received,
            "load.1m": cpu / 30,
            "uptime.s": row * 5,
        }
        if has_disk:
            values["disk.pct//mnt/usb"] = 60 + row / 1000
        snapshots.append(values)
    rounded = [{key: metrics.rounded(key, value) for key, value in v.items()} for v in snapshots]
    return of_snapshots(range(rows), times, rounded)
