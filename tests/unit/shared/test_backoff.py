"""Full jitter: the whole range up to a ceiling that doubles, and no further."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_shared.backoff import FIRST_DELAY_S, LONGEST_DELAY_S, full_jitter_s

draws = st.floats(0, 1, exclude_max=True)


@settings(max_examples=300, deadline=None)
@given(st.integers(-5, 10**6), draws)
def test_a_delay_is_never_longer_than_the_longest(failures: int, draw: float) -> None:
    assert 0 <= full_jitter_s(failures, draw) <= LONGEST_DELAY_S


@pytest.mark.parametrize(
    ("failures", "ceiling"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (99, 30)]
)
def test_the_ceiling_doubles(failures: int, ceiling: float) -> None:
    assert full_jitter_s(failures, 1.0) == ceiling


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 100), draws)
def test_the_delay_is_drawn_from_all_of_it(failures: int, draw: float) -> None:
    assert full_jitter_s(failures, draw) == full_jitter_s(failures, 1.0) * draw
    assert full_jitter_s(failures, 0.0) == 0.0


@pytest.mark.parametrize("failures", [0, -1])
def test_without_a_failure_there_is_no_wait(failures: int) -> None:
    assert full_jitter_s(failures, 0.9) == 0.0
    assert full_jitter_s(1, 1.0) == FIRST_DELAY_S
