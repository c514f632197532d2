"""What the peers are made of, installed into a folder of the bench's own, in fixed versions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

import click
import platformdirs

_PYTHON: Final = (
    "procrastinate==3.10.0",
    "psycopg[binary]==3.3.9",
    "rq==3.0.0",
    "redis==8.1.0",
    "huey==3.5.4",
    "litequeue==0.9",
)
_NODE: Final = ("bullmq@6.7.0", "ioredis@6.0.0")
_PATIENCE_S: Final = 600


class Installed(NamedTuple):
    python: Path
    node_modules: Path


def installed() -> Installed:
    """Return the peers' interpreter and modules; installs them once."""
    folder = Path(platformdirs.user_cache_dir("forge-fleet-bench")) / "queues"
    found = Installed(folder / "venv" / "bin" / "python", folder / "node_modules")
    record = folder / "versions.json"
    versions = json.dumps([*_PYTHON, *_NODE])
    if not record.exists() or record.read_text() != versions:
        click.echo(f"installing {', '.join([*_PYTHON, *_NODE])} into {folder}")
        folder.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", "--clear", str(folder / "venv")])
        _run([str(found.python), "-m", "pip", "install", "--quiet", *_PYTHON])
        _run(["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", *_NODE])
        record.write_text(versions)
    return found


def version(package: str) -> str:
    """Return the version that is installed of one of them."""
    for wanted in (*_PYTHON, *_NODE):
        name, _, number = wanted.replace("==", "@").partition("@")
        if name.partition("[")[0] == package:
            return number
    raise LookupError(package)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
        )
    except FileNotFoundError:
        raise click.ClickException(f"this bench needs {command[0]}") from None
    if done.returncode:
        raise click.ClickException(f"{' '.join(command[:4])} failed:\n{done.stderr[-2000:]}")
