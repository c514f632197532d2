"""scripts/bench ingest: what a durable push costs, beside the bare HTTP server it stands on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click

from scripts.benches import machine, servers


class Result(NamedTuple):
    """What a run showed. Times of acknowledgements in ms, CPU in µs a push."""

    pushes: int
    errors: int
    p50_ms: float
    p99_ms: float
    cpu_us: float
    cpu_share: float


@click.command("ingest")
@click.option("--nodes", default=2000, show_default=True, type=click.IntRange(1))
@click.option("--interval", default=5.0, show_default=True, help="Seconds between pushes.")
@click.option("--seconds", default=20.0, show_default=True)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 20))
def command(nodes: int, interval: float, seconds: float, rounds: int) -> None:
    """Durable pushes a second, their latency and CPU, beside bare aiohttp in turn."""
    click.echo(f"{nodes} nodes every {interval:g} s for {seconds:g} s, {rounds} rounds in turn")
    click.echo(machine.described())
    ratios = []
    for number in range(rounds):
        with _bare() as url:
            bare = driven(url, nodes, interval, seconds)
        with _collector() as url:
            ours = driven(url, nodes, interval, seconds)
        ratios.append(ours.cpu_us / bare.cpu_us)
        click.echo(f"round {number + 1}")
        for name, result in (("bare HTTP", bare), ("collector", ours)):
            click.echo(
                f"  {name}  {result.pushes} pushes, {result.errors} errors, "
                f"p50 {result.p50_ms:.1f} ms, p99 {result.p99_ms:.1f} ms, "
                f"{result.cpu_us:.0f} µs of CPU a push, {result.cpu_share:.0%} of a core"
            )
    click.echo(f"CPU a push, collector / bare HTTP: median {sorted(ratios)[len(ratios) // 2]:.2f}")


def driven(url: str, nodes: int, interval: float, seconds: float) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run(
            [
                *(str(servers.ROOT / "scripts" / "simulate"), "--url", url),
                *("--nodes", str(nodes), "--interval", str(interval), "--seconds", str(seconds)),
                *("--warm-up", str(interval), "--json", str(report)),
            ],
            env={**os.environ, "FORGE_TOKEN": servers.ADMIN_SECRET},
            check=False,
            capture_output=True,
            timeout=seconds + 120,
        )
        told: dict[str, Any] = json.loads(report.read_text())
    return Result(
        pushes=told["pushes_acknowledged"],
        errors=sum(told["errors"].values()),
        p50_ms=told["acknowledged_ms"]["p50"],
        p99_ms=told["acknowledged_ms"]["p99"],
        cpu_us=told["collector_us_per_push"],
        cpu_share=told["collector"]["cpu_share"],
    )


@contextmanager
def _bare() -> Iterator[str]:
    with servers.running([sys.executable, "-m", "scripts.benches.bare_http"]) as output:
        yield output.first_line()


@contextmanager
def _collector() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as data, servers.collector(Path(data)) as url:
        yield url
