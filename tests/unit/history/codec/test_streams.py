"""Residuals as bytes, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_collector.history.codec import DamagedError
from forge_collector.history.codec.streams import Packed, Packer, Unpacker

_INT64 = st.integers(-(2**63), 2**63 - 1)
_edges = st.integers(0, 62).flatmap(
    lambda power: st.sampled_from([2**power, 2**power - 1, -(2**power), -(2**power) - 1])
)


def unpacked(rows: int, *packed: Packed) -> list[list[int]]:
    streams = [(memoryview(codes), memoryview(extra)) for codes, extra in packed]
    return Unpacker().unpack(rows, streams).tolist()  # type: ignore[no-any-return]


@settings(max_examples=400, deadline=None)
@given(
    residual=st.lists(_INT64 | _edges | st.integers(-20, 20), min_size=1, max_size=50),
    is_thorough=st.booleans(),
)
def test_every_residual_comes_back(residual: list[int], is_thorough: bool) -> None:
    packed = Packer(len(residual), is_thorough=is_thorough).pack(np.array(residual, np.int64))
    assert unpacked(len(residual), packed) == [residual]


def test_around_every_power_of_two() -> None:
    residual = [
        sign * (2**power + near) for power in range(62) for near in (-1, 0, 1) for sign in (1, -1)
    ]
    residual += [2**63 - 1, -(2**63)]
    packed = Packer(len(residual), is_thorough=True).pack(np.array(residual, np.int64))
    assert unpacked(len(residual), packed) == [residual]


@settings(max_examples=100, deadline=None)
@given(
    residuals=st.integers(1, 20).flatmap(
        lambda rows: st.lists(st.lists(_INT64 | _edges, min_size=rows, max_size=rows), max_size=5)
    )
)
def test_residuals_unpacked_together_keep_apart(residuals: list[list[int]]) -> None:
    rows = len(residuals[0]) if residuals else 1
    packer = Packer(rows, is_thorough=True)
    packed = [packer.pack(np.array(residual, np.int64)) for residual in residuals]
    assert unpacked(rows, *packed) == residuals


def test_nothing_left_over_takes_no_bytes() -> None:
    packer = Packer(500, is_thorough=True)
    assert packer.pack(np.zeros(500, np.int64)) == (b"", b"")
    assert packer.cost(np.zeros(500, np.int64)) == 0
    assert unpacked(500, Packed(b"", b"")) == [[0] * 500]


@settings(max_examples=50, deadline=None)
@given(residual=st.lists(st.integers(-5000, 5000), min_size=1, max_size=300))
def test_the_cost_is_about_what_it_takes(residual: list[int]) -> None:
    packer = Packer(len(residual), is_thorough=True)
    packed = packer.pack(np.array(residual, np.int64))
    taken = len(packed.codes) + len(packed.extra)
    assert abs(packer.cost(np.array(residual, np.int64)) - taken) <= 12 + taken / 5


def test_streams_that_do_not_fit_their_rows_are_damaged() -> None:
    packed = Packer(90, is_thorough=True).pack(np.arange(90) * 1000)
    for rows in (1, 89, 91, 10_000):
        with pytest.raises(DamagedError):
            unpacked(rows, packed)


def test_extra_bits_that_end_too_early_are_damaged() -> None:
    packed = Packer(90, is_thorough=True).pack(np.arange(90) * 1000)
    for length in range(len(packed.extra)):
        with pytest.raises(DamagedError, match="ends before its numbers"):
            unpacked(90, Packed(packed.codes, packed.extra[:length]), packed)


def test_codes_that_mean_nothing_are_damaged() -> None:
    codes = Packer(9, is_thorough=True).deflate(bytes([255] * 9))
    with pytest.raises(DamagedError, match="means nothing"):
        unpacked(9, Packed(codes, b""))
