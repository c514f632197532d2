"""forge-collector: the command line of the collector."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import platformdirs
import structlog

from forge_collector import config, listening, logs
from forge_collector.access import rules, store
from forge_collector.app import Collector
from forge_collector.backup import checking, restoring, taking
from forge_collector.config import ConfigError, Settings
from forge_collector.db import DatabaseError
from forge_collector.http.reach import is_loopback
from forge_shared import __version__, joining
from forge_shared.job_messages import USUAL_SLOTS
from forge_shared.messages import HumanRole

_log = structlog.get_logger()
_DESCRIPTORS_WANTED: Final = 65_536
_YOUNG_OBJECTS: Final = 10_000  # that the collector of garbage lets come before it looks
_STOP_SIGNALS: Final = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


@click.group()
@click.version_option(__version__)
def main() -> None:
    """Collect what every machine's agent pushes, and serve the page that shows it."""


_data_option = click.option(
    "--data",
    envvar="FORGE_DATA",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the database and the secrets.  [default: this user's data folder]",
)


@main.command()
@click.option("--host", default="127.0.0.1", envvar="FORGE_HOST", help="Address to listen on.")
@click.option("--port", default=8750, envvar="FORGE_PORT", type=click.IntRange(0, 65_535))
@_data_option
@click.option(
    "--allowed-host",
    "allowed_hosts",
    envvar="FORGE_ALLOWED_HOSTS",
    multiple=True,
    help="A further name the collector is reached by; may be repeated.",
)
@click.option(
    "--public-url",
    envvar="FORGE_PUBLIC_URL",
    help="The address others reach it by, behind a proxy or a router.",
)
@click.option(
    "--tls",
    envvar="FORGE_TLS",
    type=click.Choice(["auto", "off"]),
    help="auto: speak TLS, with an authority of the collector's own.  [default: off]",
)
@click.option(
    "--tls-cert",
    envvar="FORGE_TLS_CERT",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Speak TLS with this certificate (PEM), read again when it is replaced.",
)
@click.option(
    "--tls-key",
    envvar="FORGE_TLS_KEY",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The key of --tls-cert (PEM).",
)
@click.option(
    "--allow-plaintext",
    envvar="FORGE_ALLOW_PLAINTEXT",
    is_flag=True,
    help="Listen beyond this machine without TLS.",
)
@click.option(
    "--announce/--no-announce",
    envvar="FORGE_ANNOUNCE",
    default=None,
    help="Whether to tell the local network over mDNS.  [default: when it listens there]",
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
    help="How long every snapshot is kept.",
)
@click.option(
    "--rollup-days",
    envvar="FORGE_ROLLUP_DAYS",
    default=30,
    show_default=True,
    type=click.IntRange(0, 3660),
    help="How long averages and extremes of ten minutes are kept.",
)
@click.option(
    "--job-days",
    envvar="FORGE_JOB_DAYS",
    default=30,
    show_default=True,
    type=click.IntRange(1, 3660),
    help="How long jobs that have ended are kept.",
)
@click.option(
    "--worker-slots",
    envvar="FORGE_WORKER_SLOTS",
    help="How many jobs of a class one worker may have at once.  [default: cpu=4,io=10,llm=1]",
)
@click.option(
    "--fleet-slots",
    envvar="FORGE_FLEET_SLOTS",
    help="How many jobs of a class all workers may have at once.  [default: llm=1]",
)
@click.option(
    "--connections-per-address",
    envvar="FORGE_CONNECTIONS_PER_ADDRESS",
    default=4096,
    show_default=True,
    type=click.IntRange(1),
    help="Connections one address may hold open; loopback is exempt.",
)
@click.option(
    "--releases",
    envvar="FORGE_RELEASES",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with a signed release of the agent to serve.  [default: releases in --data]",
)
def serve(  # noqa: PLR0917  click passes every option by name
    host: str,
    port: int,
    data: Path | None,
    allowed_hosts: tuple[str, ...],
    public_url: str | None,
    tls: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    allow_plaintext: bool,
    announce: bool | None,
    local_agent: bool,
    history_hours: int,
    rollup_days: int,
    job_days: int,
    worker_slots: str | None,
    fleet_slots: str | None,
    connections_per_address: int,
    releases: Path | None,
) -> None:
    """Run the collector until it is told to stop."""
    logs.configure(on_terminal=sys.stderr.isatty())
    data = _folder(data)
    try:
        tls_files = listening.certificate_files(tls, tls_cert, tls_key)
        with_tls = tls == "auto" or tls_files is not None
        if public_url is not None:
            public_url = listening.public_url(public_url, with_tls=with_tls)
        listening.check_plaintext(
            host, public_url, with_tls=with_tls, allow_plaintext=allow_plaintext
        )
        listening.check_announcing(host, announce=announce)
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
                rollup_days=rollup_days,
                job_days=job_days,
                worker_slots=config.slots_of("--worker-slots", worker_slots, USUAL_SLOTS),
                fleet_slots=config.slots_of("--fleet-slots", fleet_slots, config.USUAL_FLEET_SLOTS),
                connections_per_address=connections_per_address,
                releases=releases,
                tls_auto=tls == "auto",
                tls_files=tls_files,
                public_url=public_url,
                announce=announce,
            )
            _raise_descriptor_limit()
            _run(settings)
    except (ConfigError, DatabaseError) as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_data_option
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def backup(file: Path, data: Path | None, *, force: bool) -> None:
    """Write everything the collector knows to FILE, while it runs or not.

    It holds names, figures, and hashes of tokens; no secret is in it. The file is complete and
    checked before it is there.
    """
    with _told():
        taken = taking.take(file.absolute(), _folder(data), replace=force)
    meanwhile = "the collector went on meanwhile" if taken.was_running else "no collector ran"
    click.echo(
        f"✓ {file}: {taken.size_bytes / 1e6:,.1f} MB, {_count(taken.contents.nodes)}; {meanwhile}"
    )


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_data_option
@click.option("--force", is_flag=True, help="Replace the database that is there.")
@click.option("--accept-damage", is_flag=True, help="Even if parts of the history are damaged.")
def restore(file: Path, data: Path | None, *, force: bool, accept_damage: bool) -> None:
    """Make the backup FILE a collector's database.

    The collector must not run. FILE is checked, history and all, before anything is replaced.
    """
    folder = _folder(data)
    with _told():
        found = restoring.restore(
            file.absolute(), folder, replace=force, accept_damage=accept_damage
        )
    click.echo(f"✓ {folder} holds {_count(found.nodes)} again")


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@_data_option
def check(file: Path | None, data: Path | None) -> None:
    """Look for damage in the database, while the collector runs or not; or in the backup FILE.

    Ends with 1 when something is damaged, and with 2 when it cannot tell.
    """
    with _told(exit_code=2):
        report = checking.check_file(file.absolute()) if file else checking.check(_folder(data))
    for line in checking.lines(report):
        click.echo(line)
    sys.exit(0 if report.is_sound else 1)


def _count(nodes: int) -> str:
    return f"{nodes:,} node{'' if nodes == 1 else 's'}"


def _folder(data: Path | None) -> Path:
    return (data or platformdirs.user_data_path("forge-fleet")).absolute()


@contextmanager
def _told(exit_code: int = 1) -> Iterator[None]:
    """Tell what goes wrong in one sentence, and clean up when told to stop."""
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda signum, _: sys.exit(128 + signum))
    try:
        yield
    except (ConfigError, DatabaseError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(exit_code)


def _run(settings: Settings) -> None:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stopping = asyncio.Event()
    _on_stop_signal(stopping)
    collector = Collector(settings)
    await collector.start()
    # What is there now stays: a full garbage collection, which holds everybody up, passes it by.
    gc.freeze()
    # Requests leave little for it to find: each look at the newest objects is mostly wasted
    # (measured: docs/performance.md).
    gc.set_threshold(_YOUNG_OBJECTS, 10, 10)
    with config.address_told(settings.data, collector.own_url):
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
    link = f"{collector.reach.public_url or collector.url}/#/login/{code}"
    click.echo(
        f"\n  Open {click.style(link, bold=True)}\n"
        f"  It works once, within {minutes} minutes; `forgectl login-link` makes another.\n"
    )
    if reached := "".join(f"  {line}\n" for line in _how_others_reach(collector)):
        click.echo(reached)


def _how_others_reach(collector: Collector) -> Iterator[str]:
    """Yield what somebody at another machine has to know."""
    url = collector.reach.url_for("localhost")
    if not is_loopback(collector.place.address):
        yield f"Other machines reach it at {url}"
    fingerprint = collector.reach.ca_fingerprint
    if fingerprint is not None:
        yield f"Its authority's fingerprint: {joining.grouped(fingerprint)}"
        yield f"Browsers warn until they trust that authority: {url}/ca.pem"


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
