"""forge-collector: the command line of the collector."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import sys
from pathlib import Path
from typing import Final

import click
import platformdirs
import structlog

from forge_collector import config, logs
from forge_collector.access import rules, store
from forge_collector.app import Collector
from forge_collector.config import ConfigError, Settings
from forge_collector.db import DatabaseError
from forge_shared import __version__
from forge_shared.messages import HumanRole

_log = structlog.get_logger()
_DESCRIPTORS_WANTED: Final = 65_536


@click.group()
@click.version_option(__version__)
def main() -> None:
    """Collect what every machine's agent pushes, and serve the page that shows it."""


@main.command()
@click.option("--host", default="127.0.0.1", envvar="FORGE_HOST", help="Address to listen on.")
@click.option("--port", default=8750, envvar="FORGE_PORT", type=click.IntRange(0, 65_535))
@click.option(
    "--data",
    envvar="FORGE_DATA",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the database and the secrets.  [default: this user's data folder]",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    envvar="FORGE_ALLOWED_HOSTS",
    multiple=True,
    help="A further name the collector is reached by; may be repeated.",
)
@click.option(
    "--allow-plaintext",
    envvar="FORGE_ALLOW_PLAINTEXT",
    is_flag=True,
    help="Listen beyond this machine without TLS.",
)
@click.option(
    "--local-agent/--no-local-agent",
    envvar="FORGE_LOCAL_AGENT",
    default=True,
    help="Whether to run an agent for this machine.",
)
@click.option(
    "--history-hours",
    envvar="FORGE_HISTORY_HOURS",
    default=48,
    show_default=True,
    type=click.IntRange(1, 24 * 365),
    help="How long snapshots are kept.",
)
@click.option(
    "--connections-per-address",
    envvar="FORGE_CONNECTIONS_PER_ADDRESS",
    default=4096,
    show_default=True,
    type=click.IntRange(1),
    help="Connections one address may hold open; loopback is exempt.",
)
def serve(  # noqa: PLR0917  click passes every option by name
    host: str,
    port: int,
    data: Path | None,
    allowed_hosts: tuple[str, ...],
    allow_plaintext: bool,
    local_agent: bool,
    history_hours: int,
    connections_per_address: int,
) -> None:
    """Run the collector until it is told to stop."""
    logs.configure(on_terminal=sys.stderr.isatty())
    data = (data or platformdirs.user_data_path("forge-fleet")).absolute()
    try:
        _check_plaintext(host, allow_plaintext=allow_plaintext)
        config.prepare_data_folder(data)
        with config.locked(data):
            settings = Settings(
                host=host,
                port=port,
                data=data,
                admin_secret=config.admin_secret(data),
                allowed_hosts=allowed_hosts,
                local_agent=local_agent,
                history_hours=history_hours,
                connections_per_address=connections_per_address,
            )
            _raise_descriptor_limit()
            _run(settings)
    except (ConfigError, DatabaseError) as error:
        raise click.ClickException(str(error)) from None


def _run(settings: Settings) -> None:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stopping = asyncio.Event()
    _on_stop_signal(stopping)
    collector = Collector(settings)
    await collector.start()
    _log.info("listening", url=collector.url, port=collector.port, data=str(settings.data))
    if sys.stdout.isatty():
        await _print_login_link(collector)
    else:
        _log.info("nobody is at the terminal: forgectl login-link makes a link to sign in with")
    await stopping.wait()
    _log.info("stopping")
    await collector.stop()


async def _print_login_link(collector: Collector) -> None:
    """Show the way in on the terminal, and nowhere else: whoever has the link is admin."""
    code, credential = rules.mint_code(HumanRole.ADMIN, collector.clock.now_ms())
    await collector.db.write(lambda tx: store.add(tx, credential))
    minutes = rules.CODE_LIFETIME_MS // 60_000
    click.echo(
        f"\n  Open {click.style(f'{collector.url}/#/login/{code}', bold=True)}\n"
        f"  It works once, within {minutes} minutes; `forgectl login-link` makes another.\n"
    )


def _check_plaintext(host: str, *, allow_plaintext: bool) -> None:
    if allow_plaintext or _is_loopback(host):
        return
    raise ConfigError(
        f"--host {host} lets other machines in, and without TLS whoever is on the way can read the "
        "tokens they send. If you trust this network, add --allow-plaintext; otherwise put a TLS "
        "proxy in front and listen on 127.0.0.1."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _on_stop_signal(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopping.set))
        else:
            loop.add_signal_handler(number, stopping.set)


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415  not there on Windows

    return uvloop.Loop


def _raise_descriptor_limit() -> None:
    """Allow a connection for each of many agents; the usual soft limit is 1,024."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  not there on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = (
        _DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS_WANTED)
    )
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
