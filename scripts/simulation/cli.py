"""The command line of scripts/simulate."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click
import uvloop

from forge_shared import codec
from scripts.simulation import report
from scripts.simulation.admin import AdminError
from scripts.simulation.own_collector import StartError
from scripts.simulation.report import Report
from scripts.simulation.run import Options, simulate

_POOL_LIMIT: Final = 512
_MOST_NODES: Final = 100_000


@click.command()
@click.option("--nodes", default=40, show_default=True, type=click.IntRange(1, _MOST_NODES))
@click.option(
    "--interval",
    "interval_s",
    default=5.0,
    show_default=True,
    type=click.FloatRange(0.05, 3600),
    help="Seconds between two pushes of a node.",
)
@click.option(
    "--seconds",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0),
    help="How long to push; 0: until Ctrl-C.",
)
@click.option(
    "--warm-up",
    "warm_up_s",
    default=0.0,
    type=click.FloatRange(0),
    help="Leave the first seconds out of the figures (never the errors).",
)
@click.option(
    "--offline-share",
    default=0.0,
    type=click.FloatRange(0, 1),
    help="The share of nodes that fall silent: half after their first push, half bit by bit.",
)
@click.option(
    "--url",
    help="Drive this running collector, with an admin's token in FORGE_TOKEN.  "
    "[default: start one on loopback]",
)
@click.option("--port", default=0, type=click.IntRange(0, 65_535), help="Port of the one started.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data folder of the one started, kept.  [default: a temporary one]",
)
@click.option("--clean", is_flag=True, help="In the end forget the nodes and revoke their tokens.")
@click.option(
    "--connections",
    default=_POOL_LIMIT,
    show_default=True,
    type=click.IntRange(1),
    help="The most connections that all nodes share.",
)
@click.option("--connection-per-node", is_flag=True, help="A connection for each node instead.")
@click.option(
    "--timeout",
    "timeout_s",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0.1),
    help="Seconds until a push without a reply counts as failed.",
)
@click.option("--seed", default=1, show_default=True, help="The same seed, the same figures.")
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report to this file as JSON too.",
)
def main(  # noqa: PLR0917  click passes every option by name
    nodes: int,
    interval_s: float,
    seconds: float,
    warm_up_s: float,
    offline_share: float,
    url: str | None,
    port: int,
    data: Path | None,
    clean: bool,
    connections: int,
    connection_per_node: bool,
    timeout_s: float,
    seed: int,
    json_path: Path | None,
) -> None:
    """Play NODES distinct agents with plausible figures over real HTTP, and report how the
    collector bore it. Ends with 1 if anything went wrong."""
    options = Options(
        nodes=nodes,
        interval_s=interval_s,
        seconds=seconds,
        warm_up_s=warm_up_s,
        offline_share=offline_share,
        connections=None if connection_per_node else connections,
        timeout_s=timeout_s,
        seed=seed,
        url=_checked_url(url),
        token=_admin_token(url),
        port=port,
        data=data,
        clean=clean,
    )
    if seconds and warm_up_s >= seconds:
        raise click.UsageError("--warm-up must be shorter than --seconds.")
    _raise_descriptor_limit(nodes if connection_per_node else connections)
    try:
        with asyncio.Runner(loop_factory=uvloop.Loop) as runner:
            shown = runner.run(_until_stopped(options))
    except (AdminError, StartError) as error:
        raise click.ClickException(str(error)) from None
    _publish(shown, json_path)
    sys.exit(1 if shown.errors else 0)


async def _until_stopped(options: Options) -> Report:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    return await simulate(options, stopping)


def _publish(shown: Report, json_path: Path | None) -> None:
    click.echo(report.text(shown))
    if json_path is not None:
        json_path.write_bytes(codec.encode(shown) + b"\n")


def _checked_url(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise click.UsageError("--url is an address such as http://127.0.0.1:8750.")
    return url.rstrip("/")


def _admin_token(url: str | None) -> str:
    token = os.environ.get("FORGE_TOKEN", "")
    if url is not None and not token:
        raise click.UsageError("--url needs an admin's token in the environment, as FORGE_TOKEN.")
    return token


def _raise_descriptor_limit(connections: int) -> None:
    """Allow the descriptors for that many connections, as far as the system lets us."""
    wanted = connections + 256
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise click.UsageError(
            f"{connections:,} connections need {wanted:,} open files, and the limit is {hard:,}: "
            f"raise it (ulimit -n {wanted}), or leave --connection-per-node out."
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
