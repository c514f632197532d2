"""When a machine may do jobs, as its owner allows."""

from __future__ import annotations

from typing import Any

import pytest

from forge_agent.core.owner_policy import (
    BUSY_BEFORE_S,
    CALM_BEFORE_S,
    FOR_GOOD_MS,
    Hours,
    OwnerPolicy,
    Seen,
    Terms,
    When,
)

ALWAYS = Terms(when=When.ALWAYS)
IDLE = Terms()


def seen(now_s: float = 0.0, *, cpu: float | None = 0.0, **more: Any) -> Seen:
    return Seen(now_s, 1_000_000, 600, cpu)._replace(**more)


def at_work(now_s: float = 0.0) -> OwnerPolicy:
    """A policy that allows work from ``now_s`` on."""
    policy = OwnerPolicy()
    policy.judge(IDLE, seen(now_s - CALM_BEFORE_S))
    assert policy.judge(IDLE, seen(now_s)).may_work
    return policy


def test_an_idle_machine_works_after_three_minutes() -> None:
    policy = OwnerPolicy()
    assert not policy.judge(IDLE, seen(0)).may_work
    assert not policy.judge(IDLE, seen(CALM_BEFORE_S - 1)).may_work
    assert policy.judge(IDLE, seen(CALM_BEFORE_S)).may_work


def test_the_three_minutes_begin_anew_with_each_figure_over_the_limit() -> None:
    policy = OwnerPolicy()
    policy.judge(IDLE, seen(0))
    policy.judge(IDLE, seen(100, cpu=26))
    assert not policy.judge(IDLE, seen(CALM_BEFORE_S)).may_work
    assert policy.judge(IDLE, seen(CALM_BEFORE_S * 2)).may_work


def test_others_end_it_when_they_use_twice_the_limit_for_ten_seconds() -> None:
    policy = at_work()
    assert policy.judge(IDLE, seen(1, cpu=50)).may_work  # more than to begin, less than to end
    assert policy.judge(IDLE, seen(2, cpu=51)).may_work
    assert policy.judge(IDLE, seen(2 + BUSY_BEFORE_S - 1, cpu=51)).may_work
    assert not policy.judge(IDLE, seen(2 + BUSY_BEFORE_S, cpu=51)).may_work
    assert not policy.judge(IDLE, seen(20, cpu=0)).may_work


def test_a_moment_of_load_ends_nothing() -> None:
    policy = at_work()
    for turn in range(100):
        assert policy.judge(IDLE, seen(turn * BUSY_BEFORE_S, cpu=(turn % 2) * 100)).may_work


def test_a_high_limit_can_be_passed_and_all_of_it_cannot() -> None:
    eighty, all_of_it = Terms(cpu_of_others_pct=80), Terms(cpu_of_others_pct=100)
    for terms, may_work in ((eighty, False), (all_of_it, True)):
        policy = at_work()
        policy.judge(terms, seen(1, cpu=100))
        assert policy.judge(terms, seen(1 + BUSY_BEFORE_S, cpu=100)).may_work is may_work


def test_somebody_at_the_keyboard_ends_it_at_once() -> None:
    policy = at_work()
    assert policy.judge(IDLE, seen(1, input_ago_s=0.5)).reason == "somebody uses it"
    assert not policy.judge(IDLE, seen(100, input_ago_s=100)).may_work
    assert policy.judge(IDLE, seen(182, input_ago_s=181)).may_work


def test_always_is_whatever_others_do() -> None:
    verdict = OwnerPolicy().judge(ALWAYS, seen(cpu=100, input_ago_s=0))
    assert verdict.may_work
    assert verdict.reason == ""


def test_battery_is_for_the_owner_unless_they_say_otherwise() -> None:
    policy = OwnerPolicy()
    assert policy.judge(ALWAYS, seen(on_battery=True)).reason == "on battery"
    assert policy.judge(ALWAYS._replace(on_battery=True), seen(on_battery=True)).may_work
    assert policy.judge(ALWAYS, seen(on_battery=False)).may_work


def test_memory_is_short_below_half_of_the_limit_for_ten_seconds() -> None:
    policy = OwnerPolicy()
    assert policy.judge(ALWAYS, seen(0, free_memory_mib=1024)).may_work
    assert policy.judge(ALWAYS, seen(1, free_memory_mib=511)).may_work
    assert policy.judge(ALWAYS, seen(12, free_memory_mib=600)).may_work
    assert policy.judge(ALWAYS, seen(13, free_memory_mib=511)).may_work
    assert "1024 MiB" in policy.judge(ALWAYS, seen(23, free_memory_mib=511)).reason
    assert not policy.judge(ALWAYS, seen(30, free_memory_mib=1100)).may_work
    assert policy.judge(ALWAYS, seen(30 + CALM_BEFORE_S, free_memory_mib=1100)).may_work


def test_work_does_not_begin_with_too_little_memory() -> None:
    assert not OwnerPolicy().judge(ALWAYS, seen(free_memory_mib=1023)).may_work


@pytest.mark.parametrize(
    ("minute", "holds"),
    [(19 * 60 + 59, False), (20 * 60, True), (0, True), (6 * 60 + 59, True), (7 * 60, False)],
)
def test_hours_go_over_midnight(minute: int, holds: bool) -> None:
    terms = ALWAYS._replace(hours=Hours(20 * 60, 7 * 60))
    verdict = OwnerPolicy().judge(terms, seen(minute=minute))
    assert verdict.may_work is holds
    assert holds or verdict.reason == "outside of its hours, 20:00-07:00"


def test_a_pause_ends_by_itself_or_by_its_owner() -> None:
    paused = ALWAYS._replace(paused_until=1_000_001)
    assert not OwnerPolicy().judge(paused, seen()).may_work
    assert OwnerPolicy().judge(paused, seen(wall_ms=1_000_001)).may_work
    for_good = ALWAYS._replace(paused_until=FOR_GOOD_MS)
    assert "work resume" in OwnerPolicy().judge(for_good, seen()).reason
