"""Servers that a bench starts, and ends when it is done with them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import click

ROOT: Final = Path(__file__).parents[2]
ADMIN_SECRET: Final = "an admin secret for this bench alone"
_START_TIMEOUT_S: Final = 20
_STOP_TIMEOUT_S: Final = 60
_LAST_WORDS_S: Final = 5
_LOOK_EVERY_S: Final = 0.05


class Output(NamedTuple):
    """What a server prints, in a file: a pipe that nobody reads would hold it up."""

    process: subprocess.Popen[bytes]
    path: Path

    def first_line(self, holding: str = "") -> str:
        """Wait for the first line that holds a text; raises ClickException when the server ends
        instead."""
        until = time.monotonic() + _START_TIMEOUT_S
        while not (found := [line for line in self._whole_lines() if holding in line]):
            if self.process.poll() is not None or time.monotonic() > until:
                raise self.did_not_start()
            time.sleep(_LOOK_EVERY_S)
        return found[0]

    def _whole_lines(self) -> list[str]:
        lines = self.path.read_text().splitlines(keepends=True)
        return [line.rstrip() for line in lines if line.endswith("\n")]

    def did_not_start(self) -> click.ClickException:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_LAST_WORDS_S)
        return click.ClickException(f"a server did not start; it said:\n{self.path.read_text()}")


def check_installed(program: str) -> None:
    """Raise ClickException unless a peer that Debian packages is here."""
    if shutil.which(program) is None:
        raise click.ClickException(
            f"{program} is not installed, and this bench measures beside it: on Debian or Ubuntu"
            f" `apt-get install {program}` (and `systemctl disable --now {program}`: the bench"
            " starts one of its own)."
        )


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def collector(data: Path, *options: str) -> Iterator[str]:
    """Run a collector on this data folder; yields its address."""
    serve = [sys.executable, "-m", "forge_collector", "serve", "--port", "0", "--data", str(data)]
    with running([*serve, "--no-local-agent", *options]) as output:
        try:
            url: str = json.loads(output.first_line('"event":"listening"'))["url"]
        except ValueError:
            raise output.did_not_start() from None
        yield url


@contextmanager
def running(command: Sequence[str]) -> Iterator[Output]:
    """Run a server until the block is left."""
    with tempfile.TemporaryDirectory(prefix="forge-bench-") as folder:
        path = Path(folder) / "output"
        with path.open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "ADMIN_SECRET": ADMIN_SECRET},
                stdout=file,
                stderr=file,
            )
        try:
            yield Output(process, path)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
