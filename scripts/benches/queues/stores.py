"""Redis and PostgreSQL for the peers: each on a port and in a folder of its own."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import click

from scripts.benches import servers

_REDIS: Final = "redis-server"
_POSTGRES: Final = Path("/usr/lib/postgresql")  # where Debian puts each version's programs
_PREPARE_TIMEOUT_S: Final = 120


def check_installed() -> None:
    if shutil.which(_REDIS) is None or _postgres_programs() is None or shutil.which("node") is None:
        raise click.ClickException(
            "this bench measures beside queues on Redis and PostgreSQL and needs both, and Node.js:"
            " on Debian or Ubuntu `apt-get install redis-server postgresql nodejs npm` (and"
            " `systemctl disable --now redis-server postgresql`: the bench starts its own)."
        )


@contextmanager
def redis(appendfsync: str) -> Iterator[dict[str, Any]]:
    """Run a Redis that keeps what it is told in a log; yields how to reach it."""
    password = secrets.token_hex(16)
    port = servers.free_port()
    with tempfile.TemporaryDirectory(prefix="forge-bench-") as folder:
        config = Path(folder) / "redis.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {folder}\n"
            f"appendonly yes\nappendfsync {appendfsync}\nsave ''\n"
        )
        with servers.running([_REDIS, str(config)]) as output:
            output.first_line("Ready to accept connections")
            yield {"host": "127.0.0.1", "port": port, "password": password}


@contextmanager
def postgres() -> Iterator[dict[str, str]]:
    """Run a PostgreSQL with its usual settings (fsync and synchronous_commit on)."""
    programs = _postgres_programs()
    if programs is None:
        raise click.ClickException("PostgreSQL is not installed")
    password = secrets.token_hex(16)
    port = servers.free_port()
    with tempfile.TemporaryDirectory(prefix="forge-bench-") as folder:
        secret = Path(folder) / "password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        user = _as_another(Path(folder))
        data = str(Path(folder) / "data")
        subprocess.run(
            [
                *(*user, str(programs / "initdb"), "--pgdata", data, "--username", "bench"),
                *("--auth", "scram-sha-256", "--pwfile", str(secret), "--encoding", "UTF8"),
            ],
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=_PREPARE_TIMEOUT_S,
        )
        # The options are told apart by a letter; -k: no socket but the port's.
        options = ("-D", data, "-p", str(port), "-k", "", "-h", "127.0.0.1")
        with servers.running([*user, str(programs / "postgres"), *options]) as output:
            output.first_line("ready to accept connections")
            yield {
                "conninfo": f"host=127.0.0.1 port={port} user=bench password={password} "
                "dbname=postgres"
            }


def versions() -> str:
    """Return the versions of all three programs."""
    programs = _postgres_programs() or Path()
    redis_told = _said([_REDIS, "--version"])
    redis_version = next(word[2:] for word in redis_told.split() if word.startswith("v="))
    postgres_version = _said([str(programs / "postgres"), "--version"]).split()[2]
    node_version = _said(["node", "--version"]).strip().removeprefix("v")
    return f"Redis {redis_version}, PostgreSQL {postgres_version}, Node.js {node_version}"


def _postgres_programs() -> Path | None:
    if (found := shutil.which("postgres")) is not None:
        return Path(found).resolve().parent
    installed = sorted(_POSTGRES.glob("*/bin/postgres"))
    return installed[-1].parent if installed else None


def _as_another(folder: Path) -> tuple[str, ...]:
    """Give a folder to whoever PostgreSQL is to run as, which root may not; return what goes before
    its command."""
    if os.geteuid() != 0:
        return ()
    user = pwd.getpwnam("nobody")
    with suppress(KeyError):
        user = pwd.getpwnam("postgres")
    for path in (folder, *folder.iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid)
    return (
        *("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"),
    )


def _said(command: list[str]) -> str:
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=_PREPARE_TIMEOUT_S
    ).stdout
