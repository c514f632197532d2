from __future__ import annotations

import random

import pytest

from scripts.simulation.machines import fleet
from scripts.simulation.schedule import Schedule, phase, silences


def test_each_node_is_due_once_an_interval_at_its_phase() -> None:
    schedule = Schedule([0.5, 0.0, 0.9], interval_s=10)
    assert [tuple(due) for due in schedule.due(21)] == [
        *[(0, 1), (5, 0), (9, 2)],
        *[(10, 1), (15, 0), (19, 2)],
        (20, 1),
    ]
    assert schedule.next_at_s() == 25


def test_nothing_is_due_twice() -> None:
    schedule = Schedule([0.25], interval_s=4)
    assert list(schedule.due(0.9)) == []
    assert len(list(schedule.due(1))) == 1
    assert list(schedule.due(1)) == []
    assert len(list(schedule.due(13.5))) == 3


def test_a_fleet_spreads_over_the_interval() -> None:
    phases = sorted(phase(machine.node_id) for machine in fleet(2000))
    assert 0 <= phases[0] < 0.01
    assert 0.99 < phases[-1] < 1
    tenths = [sum(tenth <= 10 * p < tenth + 1 for p in phases) for tenth in range(10)]
    assert all(120 < count < 280 for count in tenths)


@pytest.mark.parametrize(("count", "share", "silent"), [(40, 0.25, 10), (40, 0, 0), (3, 1, 3)])
def test_exactly_that_share_falls_silent(count: int, share: float, silent: int) -> None:
    from_s = silences(count, share, seconds=0, draw=random.Random(1))
    assert len(from_s) == silent
    assert all(0 <= node < count for node in from_s)


def test_half_fall_silent_at_once_and_half_bit_by_bit() -> None:
    from_s = sorted(silences(40, 0.25, seconds=60, draw=random.Random(1)).values())
    assert from_s == [0, 0, 0, 0, 0, 6, 12, 18, 24, 30]
