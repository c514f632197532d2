"""A plugin that fails job after job pauses, and no other does."""

from __future__ import annotations

from forge_agent.core.attempts import Settlement, failed
from forge_agent.work.setbacks import Setbacks

TYPES = ["echo@1.0", "prodplan@2"]


def test_a_plugin_that_crashes_pauses_ever_longer_and_is_ready_again_after_a_success() -> None:
    setbacks = Setbacks(lambda: 100.0)
    assert setbacks.ready_at_s(TYPES) == 0
    for _ in range(20):
        setbacks.note("echo", failed("crashed", ""))
    assert setbacks.ready(TYPES) == ["prodplan@2"]
    assert setbacks.ready_at_s(TYPES) == 0  # of the other
    assert 100 < setbacks.ready_at_s(["echo"]) <= 130
    setbacks.note("echo", Settlement("yielded"))
    assert setbacks.ready(["echo"]) == []
    setbacks.note("echo", Settlement("succeeded"))
    assert setbacks.ready(TYPES) == TYPES


def test_a_job_that_failed_for_a_reason_of_its_own_says_nothing_of_the_machine() -> None:
    setbacks = Setbacks(lambda: 100.0)
    setbacks.note("echo", failed("infeasible", "", retryable=False))
    assert setbacks.ready(TYPES) == TYPES


def test_a_claim_waits_until_what_pauses_may_be_claimed_again() -> None:
    setbacks = Setbacks(lambda: 100.0)
    assert setbacks.next_ready_at_s(TYPES) == float("inf")
    for _ in range(20):
        setbacks.note("echo", failed("crashed", ""))
    assert 100 < setbacks.next_ready_at_s(TYPES) <= 130
    assert setbacks.next_ready_at_s(["prodplan@2"]) == float("inf")
