"""forge-collector: the command line of the collector.

Each command imports what it needs when it is called: all of the collector takes half a second,
which a refusal, a backup or a look at the help need not wait for.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import platformdirs

from forge_collector import config
from forge_collector.config import ConfigError, Settings
from forge_collector.db import DatabaseError
from forge_shared import __version__
from forge_shared.job_messages import USUAL_SLOTS

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
    from forge_collector import listening, logs  # noqa: PLC0415  late

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
            from forge_collector import serving  # noqa: PLC0415  late

            serving.run(settings)
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
    from forge_collector.backup import taking  # noqa: PLC0415  late

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
    from forge_collector.backup import restoring  # noqa: PLC0415  late

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
    from forge_collector.backup import checking  # noqa: PLC0415  late

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
