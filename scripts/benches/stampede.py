"""scripts/bench stampede: a fleet that lost its collector comes back, in virtual time."""

from __future__ import annotations

import click

from forge_agent.core import schedule
from scripts.benches import comeback
from scripts.benches.comeback import Outcome, Scenario

_OUTAGES_S = {"10 s": 10.0, "10 min": 600.0, "48 h": 172_800.0}


@click.command("stampede")
@click.option("--agents", default=10_000, show_default=True, type=click.IntRange(10, 100_000))
@click.option("--seconds", default=300.0, show_default=True, help="How long to look on afterwards.")
@click.option("--seed", default=1, show_default=True)
def command(agents: int, seconds: float, seed: int) -> None:
    """What arrives each second when a fleet finds its collector again, against the usual rate.

    Agents and admission are the real rules; the collector is one core on which each request takes
    the time it was measured to take. It takes some minutes of real time.
    """
    every_s = schedule.DEFAULT_INTERVAL_S
    click.echo(f"{agents:,} agents: {agents / every_s:,.0f} live pushes/s as usual")
    for name, outage_s in _OUTAGES_S.items():
        for hangs in (False, True):
            scenario = Scenario(agents, outage_s, hangs, seconds, seed=seed)
            click.echo(f"{name}, {'no answer' if hangs else 'connection refused'}")
            for line in _told(comeback.played(scenario), seconds):
                click.echo(f"  {line}")


def _told(outcome: Outcome, seconds: float) -> list[str]:
    live_ms, back_s = sorted(outcome.live_ms), sorted(outcome.back_s)
    lines = [outcome.lines_per_s[second] for second in range(int(seconds))]
    left = f"{outcome.lines_left:,} left after {seconds:.0f} s"
    took = left if outcome.caught_up_s is None else f"caught up after {outcome.caught_up_s:.0f} s"
    answered = f"p50 {_at(live_ms, 0.5):.0f} ms, p99 {_at(live_ms, 0.99):.0f} ms"
    refused = max(outcome.refused_per_s.values(), default=0)
    return [
        f"live     peak {max(outcome.live_per_s.values()):,}/s; answered {answered}",
        f"back     half after {_at(back_s, 0.5):.1f} s, all after {back_s[-1]:.1f} s",
        f"replays  peak {max(outcome.replays_per_s.values()):,}/s, refused {refused:,}/s at most",
        f"         {sum(lines) / seconds:,.0f} snapshots/s, peak {max(lines):,}/s",
        f"         {outcome.spooled_lines:,} spooled, {took}",
        f"core     {max(outcome.busy_s.values()):.0%} busy in the busiest second",
    ]


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
