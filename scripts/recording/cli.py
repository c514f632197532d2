"""The command line of scripts/record."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

import click

from forge_agent.log import Log
from forge_agent.sampling.sampler import families
from scripts.recording import recorder, trace

_DEFAULT_HOURS: Final = 2.0


@click.group()
def main() -> None:
    """Record what an agent reads on this machine, to measure and test with."""


@main.command()
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--interval",
    "interval_s",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.2, 300),
    help="Seconds between readings; from 1 s an agent's 5 s can be seen in five phases.",
)
@click.option("--hours", default=_DEFAULT_HOURS, show_default=True, type=click.FloatRange(0.001))
def take(out: Path, interval_s: float, hours: float) -> None:
    """Read this machine for so many hours, or until Ctrl-C, and append each reading to OUT."""
    end_s = time.monotonic() + hours * 3600
    with out.open("a", encoding="utf-8") as file:
        try:
            log = Log(sys.stderr, human=True)
            recorder.record(file, interval_s, lambda: time.monotonic() >= end_s, families(log))
        except KeyboardInterrupt:
            click.echo("", err=True)
    click.echo(f"{out}: {out.stat().st_size:,} bytes", err=True)


@main.command()
@click.argument(
    "recordings",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--about", required=True, help="The machine and its load, in a sentence.")
def pack(recordings: tuple[Path, ...], out: Path, about: str) -> None:
    """Pack RECORDINGS into one small file, cut where there are gaps.

    It holds names of mounts, disks and interfaces: look at them before you hand it on.
    """
    pieces: list[trace.Piece] = []
    for recording in recordings:
        with recording.open(encoding="utf-8") as lines:
            pieces += trace.of_lines(lines, about).pieces
    out.write_bytes(trace.packed(trace.Trace(about, tuple(pieces))))
    for piece in pieces:
        click.echo(f"{piece.readings} readings every {piece.interval_ms} ms, {piece.hours:.2f} h")
    click.echo(f"{out}: {out.stat().st_size:,} bytes")
