"""scripts/bench ingest: what a durable push costs, beside the bare HTTP server it stands on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from scripts.benches import machine

_ROOT: Final = Path(__file__).parents[2]
_ADMIN_SECRET: Final = "an admin secret for this bench alone"
_START_TIMEOUT_S: Final = 20
_STOP_TIMEOUT_S: Final = 10


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
            bare = _driven(url, nodes, interval, seconds)
        with _collector() as url:
            ours = _driven(url, nodes, interval, seconds)
        ratios.append(ours.cpu_us / bare.cpu_us)
        click.echo(f"round {number + 1}")
        for name, result in (("bare HTTP", bare), ("collector", ours)):
            click.echo(
                f"  {name}  {result.pushes} pushes, {result.errors} errors, "
                f"p50 {result.p50_ms:.1f} ms, p99 {result.p99_ms:.1f} ms, "
                f"{result.cpu_us:.0f} µs of CPU a push, {result.cpu_share:.0%} of a core"
            )
    click.echo(f"CPU a push, collector / bare HTTP: median {sorted(ratios)[len(ratios) // 2]:.2f}")


def _driven(url: str, nodes: int, interval: float, seconds: float) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run(
            [
                *(str(_ROOT / "scripts" / "simulate"), "--url", url),
                *("--nodes", str(nodes), "--interval", str(interval), "--seconds", str(seconds)),
                *("--warm-up", str(interval), "--json", str(report)),
            ],
            env={**os.environ, "FORGE_TOKEN": _ADMIN_SECRET},
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
    with _running([sys.executable, "-m", "scripts.benches.bare_http"]) as said:
        yield said()


@contextmanager
def _collector() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as data:
        serve = [sys.executable, "-m", "forge_collector", "serve", "--port", "0", "--data", data]
        with _running([*serve, "--no-local-agent"]) as said:
            url: str = json.loads(said())["url"]
            yield url


@contextmanager
def _running(command: list[str]) -> Iterator[Callable[[], str]]:
    """Run a server; yield a function that waits for its first line. Its output goes to a file,
    because a pipe that nobody reads would hold it up."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=_ROOT,
                env={**os.environ, "ADMIN_SECRET": _ADMIN_SECRET},
                stdout=file,
                stderr=file,
            )
        try:
            yield lambda: _first_line(output)
        finally:
            process.terminate()
            process.wait(_STOP_TIMEOUT_S)


def _first_line(output: Path) -> str:
    until = time.monotonic() + _START_TIMEOUT_S
    while "\n" not in (text := output.read_text()):
        if time.monotonic() > until:
            raise click.ClickException(f"a server did not start; it said: {text!r}")
        time.sleep(0.05)
    return text.splitlines()[0]
