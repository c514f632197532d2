"""What can wait is let in so fast and no faster, and told when to come again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_collector.http.admission import Admission

KIB = 1024
MIB = 1024 * KIB


@pytest.fixture
def admission() -> Admission:
    return Admission(bytes_per_s=MIB, bytes_at_once=4 * MIB)


def test_a_burst_is_let_in_then_as_much_as_time_allows(admission: Admission) -> None:
    let_in = [admission.enter(f"n{n}", 256 * KIB, 0) is None for n in range(6)]
    assert let_in == [True] * 4 + [False] * 2
    assert admission.enter("n6", 256 * KIB, 1) is None
    assert admission.enter("n7", 256 * KIB, 200) is not None
    assert admission.enter("n7", 256 * KIB, 260) is None


def test_one_that_is_larger_than_the_burst_is_let_in_and_makes_others_wait(
    admission: Admission,
) -> None:
    assert admission.enter("a", 3 * MIB, 0) is None
    admission.leave("a")
    assert admission.enter("b", 1, 1_900) is not None
    assert admission.enter("b", 1, 2_100) is None


def test_each_caller_is_let_in_once_at_a_time(admission: Admission) -> None:
    assert admission.enter("a", 1, 0) is None
    assert admission.enter("a", 1, 0) is not None
    admission.leave("a")
    assert admission.enter("a", 1, 0) is None
    assert admission.inside == 1


def test_slow_ones_cannot_fill_the_memory(admission: Admission) -> None:
    for second in range(5):
        assert (admission.enter(f"n{second}", MIB, second * 1000) is None) == (second < 4)
    admission.leave("n0")
    assert admission.enter("n5", MIB, 6_000) is None


def test_however_little_one_brings_it_takes_a_place(admission: Admission) -> None:
    assert sum(admission.enter(f"n{n}", 1, 0) is None for n in range(1000)) == 64


def test_the_more_wait_the_longer_they_are_told_to(admission: Admission) -> None:
    admission.enter("first", 2 * MIB, 0)
    waits = [admission.enter(f"n{n}", 512 * KIB, 0) or 0 for n in range(2000)]
    assert waits[0] == 2
    assert waits == sorted(waits)
    assert 100 < waits[500] < 300
    assert waits[-1] == 300
    # Who comes again is one of those that wait, not one more.
    assert admission.enter("n0", 512 * KIB, 1) == waits[-1]


def test_who_gave_up_is_not_waited_for(admission: Admission) -> None:
    admission.enter("first", 2 * MIB, 0)
    for number in range(500):
        admission.enter(f"n{number}", 512 * KIB, 0)
    admission.enter("large", 8 * MIB, 3_600_000)
    assert admission.enter("late", 512 * KIB, 3_600_000) == 2


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, MIB), st.integers(0, 500)), max_size=80)
)
def test_no_more_than_the_rate_gets_in(asked: list[tuple[int, int, int]]) -> None:
    admission = Admission(bytes_per_s=MIB, bytes_at_once=64 * MIB)
    now_ms, let_in, largest = 0, 0, 16 * KIB
    for caller, size, after_ms in asked:
        now_ms += after_ms
        if admission.enter(str(caller), size, now_ms) is None:
            admission.leave(str(caller))
            let_in += max(size, 16 * KIB)
            largest = max(largest, size)
    assert let_in <= MIB + largest + now_ms * MIB / 1000
    assert admission.inside == 0
