from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forge_agent.core.rates import Baseline, Reading, rates, saturating

COUNTS = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 2**64), max_size=5)


def at(second: float, totals: dict[str, float], *, slept_s: float = 0.0) -> Baseline:
    """Counters at a second of the monotonic clock; ``slept_s``: how far the wall clock is ahead."""
    return Baseline(int(1_795_000_000_000 + (second + slept_s) * 1000), second, Reading({}, totals))


def shares(second: float, part: float, whole: float) -> Baseline:
    return Baseline(int(second * 1000), second, Reading(shares={"cpu.pct": (part, whole)}))


def test_a_counter_becomes_its_growth_per_second() -> None:
    assert rates(at(10, {"n": 1000}), at(15, {"n": 1500})) == {"n": 100}


def test_a_counter_that_went_backwards_has_no_rate() -> None:
    assert rates(at(10, {"n": 1000, "m": 0}), at(15, {"n": 10, "m": 5})) == {"m": 1}


def test_instances_come_and_go() -> None:
    before, after = at(0, {"gone": 5, "stays": 5}), at(1, {"stays": 6, "new": 10**12})
    assert rates(before, after) == {"stays": 1}


def test_a_suspend_costs_the_sample_its_rates() -> None:
    assert rates(at(10, {"n": 1}), at(15, {"n": 2}, slept_s=3600)) == {}


def test_a_clock_set_back_costs_the_sample_its_rates() -> None:
    assert rates(at(10, {"n": 1}), at(15, {"n": 2}, slept_s=-60)) == {}


def test_a_suspend_that_only_the_system_tells_of_costs_the_sample_its_rates() -> None:
    # The wall clock was set right on waking, so that it agrees with the one that stood still.
    before, after = at(10, {"n": 1}), at(15, {"n": 2})._replace(slept_s=3600)
    assert rates(before, after) == {}
    assert rates(after, at(20, {"n": 7})._replace(slept_s=3600)) == {"n": 1}


def test_a_moment_between_two_clocks_is_no_suspend() -> None:
    assert rates(at(10, {"n": 1}), at(15, {"n": 6})._replace(slept_s=0.3)) == {"n": 1}


def test_a_counter_of_32_bits_that_ran_over_has_no_rate() -> None:
    assert rates(at(10, {"n": 2**32 - 5}), at(15, {"n": 20})) == {}


def test_no_time_passed_is_no_rate() -> None:
    assert rates(at(10, {"n": 1}), at(10, {"n": 2})) == {}


def test_a_share_is_a_percentage_of_the_whole() -> None:
    assert rates(shares(0, 10, 100), shares(5, 13, 106)) == {"cpu.pct": 50}


def test_a_share_of_nothing_or_going_backwards_is_left_out() -> None:
    assert rates(shares(0, 10, 100), shares(5, 10, 100)) == {}
    assert rates(shares(0, 10, 100), shares(5, 9, 105)) == {}


def test_a_share_never_exceeds_the_whole() -> None:
    assert rates(shares(0, 10, 100), shares(5, 20, 105)) == {"cpu.pct": 100}


@given(COUNTS, COUNTS, st.floats(0, 1e6), st.floats(-1e6, 1e6))
def test_rates_are_never_negative_and_only_of_what_both_readings_hold(
    earlier: dict[str, float], later: dict[str, float], elapsed_s: float, slept_s: float
) -> None:
    found = rates(at(0, earlier), at(elapsed_s, later, slept_s=slept_s))
    assert set(found) <= set(earlier) & set(later)
    assert all(rate >= 0 for rate in found.values())


def test_subtraction_saturates() -> None:
    assert saturating(5, 7) == 0
    assert saturating(7, 5) == 2
