"""A collector of the simulator's own: on loopback, in a folder that goes away unless named."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from forge_collector.config import ADMIN_SECRET_FILE

_START_TIMEOUT_S: Final = 20.0
_STOP_TIMEOUT_S: Final = 15.0
_LOOK_EVERY_S: Final = 0.05
_LOG_FILE: Final = "collector.log"
_LINES_SHOWN: Final = 10


class StartError(Exception):
    """The collector did not start; the message ends with what it said."""


class OwnCollector(NamedTuple):
    url: str
    token: str
    pid: int


@asynccontextmanager
async def running(data: Path | None, port: int) -> AsyncIterator[OwnCollector]:
    """Start a collector, and stop it in the end; raises StartError."""
    with tempfile.TemporaryDirectory(prefix="forge-simulate-") as temporary:
        folder = _made(data or Path(temporary))
        process = await _start(folder, port)
        try:
            url = await _listening(process, folder / _LOG_FILE)
            yield OwnCollector(url, _admin_secret(folder), process.pid)
        finally:
            await _stop(process)


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.absolute()


def _admin_secret(folder: Path) -> str:
    return (folder / ADMIN_SECRET_FILE).read_text().strip()


async def _start(folder: Path, port: int) -> asyncio.subprocess.Process:
    with (folder / _LOG_FILE).open("wb") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "forge_collector",
            "serve",
            "--host=127.0.0.1",
            f"--port={port}",
            f"--data={folder}",
            "--no-local-agent",
            env=_environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C is for the simulator: it reports first, then stops the collector.
            start_new_session=True,
        )


def _environment() -> dict[str, str]:
    """Return our environment without another collector's settings and secrets."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("FORGE_") and name != "ADMIN_SECRET"
    }


async def _listening(process: asyncio.subprocess.Process, log: Path) -> str:
    """Wait until the collector says where it listens, and return that address."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while process.returncode is None and time.monotonic() < deadline:
        url = _url_in(log)
        if url is not None:
            return url
        await asyncio.sleep(_LOOK_EVERY_S)
    raise StartError("\n  ".join(["The collector did not start:", *_last_lines(log)]))


def _url_in(log: Path) -> str | None:
    for line in log.read_bytes().splitlines():
        if b'"listening"' in line:
            return str(json.loads(line)["url"])
    return None


def _last_lines(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()[-_LINES_SHOWN:]


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
