"""Attempts: a bucket for each address, refilled evenly."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from forge_collector.http import limits
from forge_collector.http.limits import AttemptLimiter


def test_a_bucket_empties_and_refills_evenly() -> None:
    limiter = AttemptLimiter(10)
    assert [limiter.allow("a", 0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert not limiter.allow("a", 5_999)
    assert limiter.allow("a", 6_001)
    assert not limiter.allow("a", 6_001)


def test_a_bucket_never_holds_more_than_a_minutes_worth() -> None:
    limiter = AttemptLimiter(3)
    assert limiter.allow("a", 0)
    assert [limiter.allow("a", 10**9) for _ in range(4)] == [True, True, True, False]


def test_addresses_have_their_own() -> None:
    limiter = AttemptLimiter(1)
    assert limiter.allow("a", 0)
    assert not limiter.allow("a", 0)
    assert limiter.allow("b", 0)


def test_what_turned_out_well_is_given_back() -> None:
    limiter = AttemptLimiter(2)
    for _ in range(100):
        assert limiter.allow("a", 0)
        limiter.give_back("a")
    assert [limiter.allow("a", 0) for _ in range(3)] == [True, True, False]


def test_giving_back_never_adds_attempts() -> None:
    limiter = AttemptLimiter(2)
    limiter.allow("a", 0)
    for _ in range(10):
        limiter.give_back("a")
    limiter.give_back("unknown")
    assert [limiter.allow("a", 0) for _ in range(3)] == [True, True, False]


def test_many_addresses_do_not_fill_the_memory() -> None:
    limiter = AttemptLimiter(1)
    limiter.allow("old", 0)
    for number in range(limits._MAX_ADDRESSES + 10):
        limiter.allow(str(number), 1)
    assert len(limiter._buckets) <= limits._MAX_ADDRESSES
    assert "old" not in limiter._buckets


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 20), st.lists(st.integers(0, 30_000), max_size=60))
def test_no_pattern_gets_more_than_its_share(per_minute: int, gaps: list[int]) -> None:
    limiter = AttemptLimiter(per_minute)
    now_ms = allowed = 0
    for gap in gaps:
        now_ms += gap
        allowed += limiter.allow("a", now_ms)
    assert allowed <= per_minute * (1 + now_ms / 60_000) + 1e-6
