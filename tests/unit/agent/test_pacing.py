"""How fast snapshots are sent after an outage."""

from __future__ import annotations

import pytest

from forge_agent.core import pacing, spooling
from forge_agent.core.pacing import Retry


def test_retry_after_comes_on_top_of_the_jitter() -> None:
    retry = Retry(lambda: 0.5)
    retry.failed(100.0, 2.0)
    assert retry.not_before_s == 102.5
    retry.failed(200.0, 0.0)
    assert retry.not_before_s == 201.0
    for _ in range(20):
        retry.failed(300.0, 0.0)
    assert retry.not_before_s == 315.0
    retry.succeeded(400.0, 0.2)
    assert (retry.failures, retry.not_before_s) == (0, 400.2)


@pytest.mark.parametrize(("offline_s", "begins_s"), [(0, 0), (4, 4), (600, 30), (172_800, 30)])
def test_a_replay_begins_some_time_after_an_outage(offline_s: float, begins_s: float) -> None:
    retry = Retry(lambda: 0.5)
    retry.spread(1000.0, offline_s)
    assert retry.not_before_s == 1000.0 + begins_s


def test_a_pause_that_lasts_longer_anyway_is_not_cut_short() -> None:
    retry = Retry(lambda: 0.0)
    retry.failed(1000.0, 60.0)
    retry.spread(1000.0, 10.0)
    assert retry.not_before_s == 1060.0


def test_half_of_the_time_is_left_to_others() -> None:
    assert pacing.replay_pause_s(0.01) == 0.2
    assert pacing.replay_pause_s(3.0) == 3.0


def test_batches_shrink_until_they_take_less_than_a_second_and_grow_where_they_are_brisk() -> None:
    assert pacing.lines_after(500, 500, 1.5) == 250
    assert pacing.lines_after(500, 120, 1.5) == 60
    assert pacing.lines_after(25, 25, 9.0) == 20
    assert pacing.lines_after(500, 3, 9.0) == 3
    assert pacing.lines_after(60, 60, 0.5) == 60
    assert pacing.lines_after(60, 60, 0.1) == 120
    assert pacing.lines_after(400, 400, 0.1) == spooling.BATCH_LINES


def test_what_was_refused_is_asked_again_with_little() -> None:
    assert pacing.lines_after_refusal(500) == 250
    assert pacing.lines_after_refusal(120) == 100
    assert pacing.lines_after_refusal(7) == 7
