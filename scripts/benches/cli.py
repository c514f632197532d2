"""scripts/bench: one command a bench."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import click

from scripts.benches import agent, history, ingest, jobs, prodplan, replaying, stampede, storage


@click.group()
def main() -> None:
    """Measure beside a peer, in the same run, and print the ratio."""
    # By an exception: so the servers it started end with it.
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


main.add_command(agent.command)
main.add_command(history.command)
main.add_command(ingest.command)
main.add_command(jobs.command)
main.add_command(prodplan.command)
main.add_command(replaying.command)
main.add_command(stampede.command)
main.add_command(storage.command)
