"""scripts/bench: one command a bench."""

from __future__ import annotations

import click

from scripts.benches import ingest


@click.group()
def main() -> None:
    """Measure beside a peer, in the same run, and print the ratio."""


main.add_command(ingest.command)
