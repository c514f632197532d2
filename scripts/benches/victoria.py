"""The peer of what stores history: VictoriaMetrics as Debian packages it."""

from __future__ import annotations

import subprocess
import time
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlencode

import click
import msgspec

from forge_shared import metrics
from scripts.benches import folders, servers
from scripts.benches.http_client import Client

PROGRAM: Final = "victoria-metrics"
_PATIENCE_S: Final = 120
_LOOK_EVERY_S: Final = 0.1
_STANDS_STILL_S: Final = 2.0
_MERGES: Final = (
    "vm_active_force_merges",
    'vm_active_merges{type="storage/big"}',
    'vm_active_merges{type="storage/small"}',
)


class Series(NamedTuple):
    """One series' samples, oldest first; ``times`` in Unix ms."""

    times: array[int]
    values: array[float]


NodeSeries = Mapping[str, Series]  # by our key


class Footprint(NamedTuple):
    """What is on disk after it has stopped, in bytes. ``values``: the part of ``data`` that holds
    numbers, ``times``: their timestamps; ``folder`` counts its caches too."""

    data: int
    values: int
    times: int
    names: int
    folder: int


def version() -> str:
    """Return the package's version; the program itself does not tell."""
    try:
        told = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}", PROGRAM],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "of unknown version"
    return told.stdout.strip()


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run one on this folder; yields its address."""
    address = f"127.0.0.1:{servers.free_port()}"
    command = [
        PROGRAM,
        f"-storageDataPath={folder}",
        f"-httpListenAddr={address}",
        "-retentionPeriod=1y",
    ]
    with servers.running(command):
        _wait_until(lambda: _answers(address), "VictoriaMetrics to listen")
        yield f"http://{address}"


def load(client: Client, node_id: str, series: NodeSeries) -> None:
    """Import a node's series, one after the other."""
    for key, (times, values) in series.items():
        line = {
            "metric": labels(node_id, key),
            "values": [int(value) if value.is_integer() else value for value in values],
            "timestamps": list(times),
        }
        client.post("/api/v1/import", msgspec.json.encode(line) + b"\n", "application/json")


def labels(node_id: str, key: str) -> dict[str, str]:
    name, instance = metrics.split(key)
    found = {"__name__": f"forge_{name.replace('.', '_')}", "node": node_id}
    return found if instance is None else {**found, "instance": instance}


def settle(client: Client, folder: Path) -> None:
    """Bring what was imported into the state that time would bring it to: parts merged."""
    client.get("/internal/force_flush")
    client.get("/internal/force_merge")
    _wait_until(lambda: _merges(client) == 0, "VictoriaMetrics to merge")
    client.get("/internal/force_flush")
    folders.wait_until_still(lambda: folders.size(folder / "data"), _STANDS_STILL_S, _PATIENCE_S)


def range_query(query: str, from_ms: int, to_ms: int, step_s: int) -> str:
    """Return the path of a range query past the peer's cache of results."""
    asked = {
        "query": query,
        "start": str(from_ms / 1000),
        "end": str(to_ms / 1000),
        "step": f"{step_s}s",
        "nocache": "1",
    }
    return f"/api/v1/query_range?{urlencode(asked)}"


def footprint(folder: Path) -> Footprint:
    data = folder / "data"
    return Footprint(
        data=folders.size(data),
        values=folders.size(data, "values.bin"),
        times=folders.size(data, "timestamps.bin"),
        names=folders.size(folder / "indexdb"),
        folder=folders.size(folder),
    )


def _merges(client: Client) -> float:
    lines = client.get("/metrics").decode().splitlines()
    rows = dict(line.rsplit(" ", 1) for line in lines if " " in line)
    return sum(float(rows.get(name, 0)) for name in _MERGES)


def _answers(address: str) -> bool:
    try:
        with Client(f"http://{address}") as client:
            client.get("/health")
    except (OSError, click.ClickException):
        return False
    return True


def _wait_until(look: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not look():
        if time.monotonic() > until:
            raise click.ClickException(f"waited {_PATIENCE_S} s for {what}")
        time.sleep(_LOOK_EVERY_S)
