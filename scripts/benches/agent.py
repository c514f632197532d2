"""scripts/bench agent: what the agent costs a machine, beside node_exporter in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import click

from scripts.benches import (
    agents,
    folders,
    footprint,
    machine,
    node_exporter,
    process_tree,
    servers,
)
from scripts.benches.agents import Home, Program
from scripts.benches.footprint import Footprint
from scripts.benches.process_tree import Held

_INTERVAL_S: Final = 5.0
_READ_EVERY_S: Final = 10.0
# The processor's name is found, once a boot, and memory takes its size.
_SETTLE_S: Final = 60.0
_MEMORY_TARGET: Final = 1.25
_CPU_TARGET: Final = 1 / 3
_START_UP_TARGET_S: Final = 2.0
_MIB: Final = 1 << 20
_PEER: Final = "node_exporter"


@click.command("agent")
@click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(1, 24 * 60))
@click.option("--tls", is_flag=True, help="Push over https, to a collector with --tls auto.")
@click.option("--starts", default=5, show_default=True, type=click.IntRange(0, 100))
@click.option(
    "--built",
    default=servers.ROOT / "dist",
    show_default="dist",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where scripts/build-agent left its builds; what is not there is left out.",
)
def command(minutes: float, tls: bool, starts: int, built: Path) -> None:
    """Memory, CPU and growth of a monitoring agent, beside node_exporter scraped as often."""
    servers.check_installed(node_exporter.PROGRAM)
    programs = [agents.SOURCE, *agents.built(built)]
    scheme = "https" if tls else "http"
    click.echo(f"{minutes:g} min, every {_INTERVAL_S:g} s, over {scheme}, all at the same time")
    click.echo(f"{machine.described()}; node_exporter {node_exporter.version()}")
    with folders.temporary(2) as (data, states), _collector(data, tls=tls) as home:
        if starts:
            click.echo(f"from start to the first acknowledged push, {starts} starts in turn")
            _report_starts(_started(programs, home, states, starts))
        resident = [program for program in programs if program.stays]
        _report(_compared(resident, home, states, minutes * 60))


@contextmanager
def _collector(data: Path, *, tls: bool) -> Iterator[Home]:
    options = ("--tls", "auto") if tls else ()
    with servers.collector(data, *options) as url:
        yield Home(url, data / "tls" / "ca.pem" if tls else None)


# --- starting -----------------------------------------------------------------------------------


def _started(
    programs: list[Program], home: Home, states: Path, starts: int
) -> Mapping[str, list[float]]:
    """Start each in turn, always as on a machine that is new; return seconds, by name."""
    found: dict[str, list[float]] = {program.name: [] for program in programs}
    for number in range(starts):
        for place, program in enumerate(programs):
            folder = states / f"start-{number}-{place}"
            agents.settle_in(home, folder, f"start-{number}-{place}")
            found[program.name].append(agents.connected_after_s(program, folder))
    return found


def _report_starts(seconds: Mapping[str, list[float]]) -> None:
    for name, times in seconds.items():
        click.echo(
            f"  {name:24} median {statistics.median(times):.2f} s, most {max(times):.2f} s"
            f" (target {_START_UP_TARGET_S:g} s)"
        )


# --- running ------------------------------------------------------------------------------------


def _compared(
    programs: list[Program], home: Home, states: Path, seconds: float
) -> Mapping[str, list[Held]]:
    """Run all at once, and return what was read of each: at first when they had settled."""
    with ExitStack() as stack:
        pids = {_PEER: stack.enter_context(node_exporter.running(_INTERVAL_S))}
        for number, program in enumerate(programs):
            folder = states / f"run-{number}"
            agents.settle_in(home, folder, f"run-{number}")
            output = stack.enter_context(agents.running(program, folder))
            agents.wait_until_connected(output)
            pids[program.name] = output.process.pid
        time.sleep(_SETTLE_S)
        return _read(pids, seconds)


def _read(pids: Mapping[str, int], seconds: float) -> Mapping[str, list[Held]]:
    readings: dict[str, list[Held]] = {name: [] for name in pids}
    began_s = time.monotonic()
    turns = max(4, round(seconds / _READ_EVERY_S))
    for turn in range(turns + 1):
        time.sleep(max(0.0, began_s + turn * seconds / turns - time.monotonic()))
        for name, pid in pids.items():
            readings[name].append(process_tree.held(pid))
    return readings


def _report(readings: Mapping[str, list[Held]]) -> None:
    found = {name: footprint.of(each) for name, each in readings.items()}
    peer = found.pop(_PEER)
    click.echo(
        f"after a minute to settle; memory of the whole process tree, median over"
        f" {peer.lasted_s / 60:.0f} min; a reading each {_READ_EVERY_S:g} s"
    )
    _report_one(_PEER, peer)
    for name, own in found.items():
        _report_one(name, own)
    for name, own in found.items():
        click.echo(
            f"{name} / {_PEER}: memory {own.rss / peer.rss:.2f} (target {_MEMORY_TARGET:.2f}), "
            f"by PSS {own.pss / peer.pss:.2f}; "
            f"CPU {own.cpu_s / peer.cpu_s:.2f} (target {_CPU_TARGET:.2f})"
        )


def _report_one(name: str, found: Footprint) -> None:
    click.echo(
        f"  {name:24} RSS {found.rss / _MIB:.1f} MiB (most {found.rss_max / _MIB:.1f}), "
        f"PSS {found.pss / _MIB:.1f} MiB, {found.processes} process(es); "
        f"CPU {found.cpu_s:.2f} s, {found.cpu_share:.3%} of a core; "
        f"growth {found.growth / 1024:+.0f} KiB/h, last quarter {found.drift / 1024:+.0f} KiB"
    )
