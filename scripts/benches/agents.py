"""Real agents for a bench: the program as it stands in the sources, and as it was built."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from forge_shared import __version__, releases
from scripts.benches import servers
from scripts.benches.http_client import Client
from scripts.benches.servers import Output
from scripts.building.program import platform_name

_PATIENCE_S: Final = 30.0
_LOOK_EVERY_S: Final = 0.02
_CONFIG: Final = "agent.toml"


class Program(NamedTuple):
    """A way to start the agent. ``name``: what a table calls it. ``stays``: people leave it
    running; a single file is to carry and to try."""

    name: str
    command: Sequence[str]
    stays: bool = True


class Home(NamedTuple):
    """A collector to push to: its address, and the authority it is known by where that is TLS."""

    url: str
    ca_file: Path | None


SOURCE: Final = Program("agent, from source", (sys.executable, "-m", "forge_agent"))


def built(out: Path) -> list[Program]:
    """Return the programs that scripts/build-agent left here, if it did."""
    single = releases.file_name(__version__, platform_name(), releases.FILE)
    candidates = (
        Program("agent, folder build", (str(out / "forge-agent" / "forge-agent"),)),
        Program("agent, single file", (str(out / single),), stays=False),
    )
    return [program for program in candidates if Path(program.command[0]).is_file()]


def settle_in(home: Home, folder: Path, node_id: str) -> None:
    """Make a new folder for an agent, with its settings and a token of its own."""
    folder.mkdir(mode=0o700, parents=True)
    config = folder / _CONFIG
    config.touch(mode=0o600)
    config.write_text(_settings(home, node_id), encoding="utf-8")


@contextmanager
def running(program: Program, folder: Path) -> Iterator[Output]:
    """Run one in a folder that was made for it."""
    options = ("run", "--config", str(folder / _CONFIG), "--state-dir", str(folder / "state"))
    with servers.running([*program.command, *options]) as output:
        yield output


def connected_after_s(program: Program, folder: Path) -> float:
    """Start one, and return how long it took until its first push was acknowledged."""
    started_ms = time.time() * 1000
    with running(program, folder) as output:
        told_ms: int = _said(output, "connected")["ts"]
    return (told_ms - started_ms) / 1000


def wait_until_connected(output: Output) -> None:
    _said(output, "connected")


def _said(output: Output, event: str) -> dict[str, Any]:
    until_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until_s and output.process.poll() is None:
        for line in output.path.read_text().splitlines():
            if line.startswith("{") and line.endswith("}"):
                said: dict[str, Any] = json.loads(line)
                if said["event"] == event:
                    return said
        time.sleep(_LOOK_EVERY_S)
    raise click.ClickException(f"an agent did not say {event}; it said:\n{output.path.read_text()}")


def _settings(home: Home, node_id: str) -> str:
    with Client(home.url, servers.ADMIN_SECRET, home.ca_file) as admin:
        body = json.dumps({"node_id": node_id}).encode()
        token = json.loads(admin.post("/api/tokens", body, "application/json"))["token"]
    settings = {"NODE_ID": node_id, "CENTRAL_URL": home.url, "BEARER_TOKEN": token}
    if home.ca_file is not None:
        settings["FORGE_CA_FILE"] = str(home.ca_file)
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
