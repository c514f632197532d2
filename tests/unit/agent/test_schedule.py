from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forge_agent.core.schedule import Interval, first_turn_s, next_turn_s, phase

INTERVALS = st.integers(1, 300)
WALL = st.integers(946_684_800_000, 4_102_444_800_000)


def test_without_word_from_the_collector_it_is_5_s() -> None:
    assert Interval(0).current_s(0) == 5


def test_a_directive_is_obeyed_within_bounds() -> None:
    interval = Interval(0)
    for told, obeyed in [(10, 10), (0, 1), (10_000, 300), (5, 5)]:
        interval.told(told, 0)
        assert interval.current_s(0) == obeyed


def test_a_quick_directive_lapses_unless_renewed() -> None:
    interval = Interval(0)
    interval.told(1, 100)
    assert interval.current_s(130) == 1
    assert interval.current_s(130.1) == 5
    interval.told(1, 131)
    assert interval.current_s(140) == 1


def test_a_slow_directive_stays() -> None:
    interval = Interval(0)
    interval.told(60, 0)
    assert interval.current_s(1e6) == 60


def test_the_owners_interval_is_the_least() -> None:
    interval = Interval(600)
    interval.told(1, 0)
    assert interval.current_s(0) == 600
    interval.told(900, 0)
    assert interval.current_s(0) == 600


def test_the_owners_interval_takes_the_place_of_the_usual_one() -> None:
    interval = Interval(2)
    assert interval.current_s(0) == 2
    for told, obeyed in [(5, 2), (1, 2), (60, 60)]:
        interval.told(told, 0)
        assert interval.current_s(0) == obeyed
    interval.told(3, 0)
    assert interval.current_s(31) == 2


@given(st.floats(0, 1e6), WALL, INTERVALS, st.floats(0, 1, exclude_max=True))
def test_the_first_turn_is_soon_and_in_phase(
    now_s: float, wall_ms: int, interval_s: int, node_phase: float
) -> None:
    wait_s = first_turn_s(now_s, wall_ms, interval_s, node_phase) - now_s
    assert 0.49 <= wait_s <= interval_s + 0.51
    off = (wall_ms / 1000 + wait_s - node_phase * interval_s) % interval_s
    assert min(off, interval_s - off) < 1e-3


@given(st.floats(0, 1e6), st.floats(0, 1e5), INTERVALS)
def test_turns_keep_their_rhythm_and_skip_what_was_missed(
    turn_s: float, late_s: float, interval_s: int
) -> None:
    following = next_turn_s(turn_s, turn_s + late_s, interval_s)
    assert turn_s + late_s - 1e-6 < following <= turn_s + late_s + interval_s + 1e-6
    steps = (following - turn_s) / interval_s
    assert abs(steps - round(steps)) < 1e-6


def test_nodes_are_spread_over_the_interval() -> None:
    phases = [phase(f"node-{number}") for number in range(1000)]
    for tenth in range(10):
        assert 60 < sum(tenth / 10 <= place < (tenth + 1) / 10 for place in phases) < 140
