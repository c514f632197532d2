"""A fleet that lost its collector comes back without a stampede, by the agents' own rules.

In virtual time: a fifth of the fleet of docs/performance.md, at a collector that is five times as
slow, so that a load that is too much for the one is too much for the other.
"""

from __future__ import annotations

import pytest

from scripts.benches.comeback import Outcome, Scenario, played

AGENTS, SPEED = 2_000, 0.2
STEADY_PER_S = AGENTS / 5
SLOWER = 1 / SPEED


def share(ordered: list[float], part: float) -> float:
    return sorted(ordered)[int(len(ordered) * part)]


@pytest.fixture(
    scope="module",
    params=[(10, False), (10, True), (600, False), (600, True), (172_800, False), (172_800, True)],
    ids=lambda param: f"{param[0]} s, {'no answer' if param[1] else 'refused'}",
)
def came_back(request: pytest.FixtureRequest) -> tuple[float, bool, Outcome]:
    outage_s, hangs = request.param
    scenario = Scenario(AGENTS, outage_s, hangs, watched_s=90, speed=SPEED)
    return outage_s, hangs, played(scenario)


def test_live_pushes_come_little_faster_than_ever(came_back: tuple[float, bool, Outcome]) -> None:
    outage_s, hangs, outcome = came_back
    peak = max(count for second, count in outcome.live_per_s.items() if second >= 0)
    # After a short silence all time out within the same five seconds; nothing else doubles up.
    most = 1.6 if hangs and outage_s < 60 else 1.25
    assert STEADY_PER_S <= peak <= most * STEADY_PER_S


def test_everybody_is_back_within_a_retry(came_back: tuple[float, bool, Outcome]) -> None:
    _, hangs, outcome = came_back
    assert len(outcome.back_s) == AGENTS
    assert max(outcome.back_s) <= (42 if hangs else 32)


def test_live_pushes_do_not_wait_for_replays(came_back: tuple[float, bool, Outcome]) -> None:
    _, hangs, outcome = came_back
    assert share(outcome.live_ms, 0.5) < 10 * SLOWER
    assert share(outcome.live_ms, 0.99) < 500 * SLOWER
    # What failed after the collector was back had been sent before it was.
    assert outcome.live_failures <= (AGENTS if hangs else 0.01 * AGENTS)


def test_replays_come_as_fast_as_they_may_and_no_faster(
    came_back: tuple[float, bool, Outcome],
) -> None:
    outage_s, _, outcome = came_back
    lines = [outcome.lines_per_s[second] for second in range(90)]
    admitted_per_s = 3_712 * SPEED  # 4 MiB of 1,130 bytes
    assert sum(lines[10:60]) / 50 <= 1.05 * admitted_per_s
    if outage_s >= 600:
        assert sum(lines[10:60]) / 50 >= 0.8 * admitted_per_s
    else:
        assert outcome.lines_left < 0.1 * outcome.spooled_lines


def test_hardly_any_replay_is_sent_for_nothing(came_back: tuple[float, bool, Outcome]) -> None:
    *_, outcome = came_back
    # Refusals cost little; each agent is refused now and then, not again and again.
    assert sum(outcome.refused_per_s.values()) <= 2.5 * AGENTS


def test_retries_are_rare_while_it_is_away(came_back: tuple[float, bool, Outcome]) -> None:
    outage_s, _, outcome = came_back
    played_s = min(outage_s, 120)
    assert outcome.attempts_while_away <= AGENTS * (5 + played_s / 12)


def test_the_same_seed_is_the_same_comeback() -> None:
    scenario = Scenario(200, 60, hangs=False, watched_s=30, speed=0.02)
    assert played(scenario) == played(scenario)
    assert played(scenario) != played(scenario._replace(seed=2))
