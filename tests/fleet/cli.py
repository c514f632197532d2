"""The command line of scripts/fleet-test."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from tests.fleet.battle import Outcome, Plan, fight

_SHOWN: Final = 40


@click.command()
@click.option("--jobs", default=200, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--workers", default=8, show_default=True, type=click.IntRange(1, 64))
@click.option("--seed", default=1, show_default=True, help="What the dice are thrown by.")
@click.option(
    "--minutes",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0.1),
    help="How long things are killed at most; it ends before when all jobs are over.",
)
@click.option(
    "--every",
    "every_s",
    default=1.5,
    show_default=True,
    type=click.FloatRange(0.05),
    help="Seconds between two strokes, on the average.",
)
@click.option(
    "--lease",
    "lease_ttl_s",
    default=20,
    show_default=True,
    type=click.IntRange(4, 300),
    help="Seconds that a lease lasts: five minutes would be too long to wait for.",
)
@click.option("--keep", is_flag=True, help="Leave the folder with all data and logs.")
def main(
    *,
    jobs: int,
    workers: int,
    seed: int,
    minutes: float,
    every_s: float,
    lease_ttl_s: int,
    keep: bool,
) -> None:
    """Have a collector and workers of its own solve jobs of all kinds while workers, the jobs'
    programs, their keepers and the collector are killed, lines are cut and answers are lost.

    In the end each job must be over once, as it should be, with a result that is verified from
    outside, and nothing may be left: no process, no lease, no file. Ends with 0 when it is so.
    """
    folder = Path(tempfile.mkdtemp(prefix="fleet-test-"))
    folder.chmod(0o755)  # jobs are other users, and their plugins are here
    plan = Plan(
        jobs=jobs,
        workers=workers,
        agents=workers // 4,
        seed=seed,
        lease_ttl_s=lease_ttl_s,
        burns_s=60 * minutes,
        every_s=every_s,
        patience_s=900,
        submitted_over_s=min(30.0 * minutes, jobs / 5),
    )
    outcome = fight(folder, plan, _tell)
    _report(outcome)
    if keep or outcome.faults:
        click.echo(f"Everything is in {folder}")
    else:
        shutil.rmtree(folder)
    sys.exit(1 if outcome.faults else 0)


def _tell(what: str, counts: Mapping[str, int], strokes: Mapping[str, int]) -> None:
    if sys.stderr.isatty():
        shown = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        click.echo(
            f"\r\033[K  {what}: {shown}; {sum(strokes.values())} strokes", nl=False, err=True
        )


def _report(outcome: Outcome) -> None:
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
    click.echo(f"{outcome.took_s:.0f} s; programs were looked at {outcome.watched:,} times.")
    for title, numbers in (
        ("Strokes", outcome.strokes),
        ("Jobs", outcome.statuses),
        ("Attempts", outcome.attempts),
    ):
        click.echo(f"{title}: {', '.join(f'{numbers[name]} {name}' for name in sorted(numbers))}")
    click.echo(f"Killed too often, and retried: {outcome.for_review}")
    for fault in outcome.faults[:_SHOWN]:
        click.echo(f"✗ {fault}")
    if len(outcome.faults) > _SHOWN:
        click.echo(f"✗ … and {len(outcome.faults) - _SHOWN} more")
    if not outcome.faults:
        click.echo("✓ Every job ended once, and nothing is left.")
