"""The same two days of several nodes in a collector and in its peer, for the benches of history."""

from __future__ import annotations

import time
import uuid
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import click

from forge_shared import codec
from forge_shared.messages import IngestReply, MintedToken, MintToken, Snapshot
from scripts.benches import folders, replicas, servers, victoria
from scripts.benches.http_client import Client
from scripts.benches.victoria import NodeSeries, Series
from scripts.recording import trace
from scripts.recording.trace import Trace

INTERVAL_MS: Final = 5000
RECORDING: Final = servers.ROOT / "tests" / "data" / "trace.json.xz"
_NDJSON: Final = "application/x-ndjson"
# Nothing is pruned while it is measured.
_HOURS_TO_SPARE: Final = 2
# The collector gives back what stayed free for six minutes: longer without a change is its steady
# state.
_STILL_S: Final = 430.0
_WORKED_OFF_S: Final = 40.0
_PATIENCE_S: Final = 3600.0
# What waits to be sealed, and to be merged: files may stand still meanwhile.
_WAITING: Final = ("forge_history_unsealed", "forge_history_unmerged")

recording_option = click.option(
    "--recording",
    default=RECORDING,
    show_default="tests/data/trace.json.xz",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="What scripts/record packed.",
)
nodes_option = click.option("--nodes", default=10, show_default=True, type=click.IntRange(1, 100))
hours_option = click.option(
    "--hours", default=48.0, show_default=True, type=click.FloatRange(0.5, 720)
)


class Plan(NamedTuple):
    """What is measured on: ``nodes`` machines over ``hours`` until ``end_ms``."""

    trace: Trace
    nodes: int
    hours: float
    end_ms: int

    @property
    def start_ms(self) -> int:
        return self.end_ms - round(self.hours * 3_600_000)

    def node_ids(self) -> list[str]:
        return [f"n{number}" for number in range(1, self.nodes + 1)]


class Filled(NamedTuple):
    """What was stored: each node's series as they were sent."""

    series: dict[str, NodeSeries]
    snapshots: int
    seconds: float

    @property
    def samples(self) -> int:
        return sum(len(one.times) for node in self.series.values() for one in node.values())

    @property
    def still_samples(self) -> int:
        """Samples of series that never changed."""
        return sum(
            len(one.times)
            for node in self.series.values()
            for one in node.values()
            if min(one.values) == max(one.values)
        )

    def described(self) -> str:
        kinds = len(next(iter(self.series.values())))
        return (
            f"{len(self.series)} nodes, {self.snapshots:,} snapshots of {kinds} series: "
            f"{self.samples:,} samples, {self.still_samples / self.samples:.0%} of them of series "
            "that never changed"
        )


def plan(recording: Path, nodes: int, hours: float) -> Plan:
    return Plan(trace.read(recording), nodes, hours, int(time.time() * 1000))


def described(plan: Plan) -> str:
    pieces = ", ".join(
        f"{piece.hours:.2f} h at {piece.interval_ms / 1000:g} s" for piece in plan.trace.pieces
    )
    cycle = replicas.cycle_hours(plan.trace, INTERVAL_MS)
    return (
        f"{plan.nodes} nodes, {plan.hours:g} h every {INTERVAL_MS // 1000} s, from a recording of "
        f"{pieces}: the same readings come again after {cycle:.1f} h, scaled otherwise"
    )


@contextmanager
def collector(data: Path, plan: Plan) -> Iterator[str]:
    hours = str(round(plan.hours) + _HOURS_TO_SPARE)
    with servers.collector(data, "--history-hours", hours) as url:
        yield url


def fill(url: str, plan: Plan) -> Filled:
    """Replay all nodes through the ingest API, as they would after so long without a network."""
    began = time.monotonic()
    found: dict[str, NodeSeries] = {}
    feeds: list[Iterator[int]] = []
    for number, node_id in enumerate(plan.node_ids(), 1):
        series: dict[str, Series] = {}
        found[node_id] = series
        samples = replicas.node(
            plan.trace, number, start_ms=plan.start_ms, hours=plan.hours, interval_ms=INTERVAL_MS
        )
        feeds.append(_feed(url, node_id, samples, series))
    snapshots = 0
    while feeds:
        # In turn, a batch each: so the store grows at all nodes at once, as in a fleet.
        for feed in list(feeds):
            sent = next(feed, 0)
            snapshots += sent
            if not sent:
                feeds.remove(feed)
    return Filled(found, snapshots, time.monotonic() - began)


def settle(url: str, data: Path | None = None) -> float:
    """Wait until the collector has sealed and merged all it will, and with a folder, until it has
    given free space back too; return the seconds that took."""
    began = time.monotonic()
    still_s = _WORKED_OFF_S if data is None else _STILL_S
    with Client(url, servers.ADMIN_SECRET) as admin:

        def look() -> tuple[int, float]:
            left = [
                float(line.rsplit(" ", 1)[1])
                for line in admin.get("/metrics").decode().splitlines()
                if line.startswith(_WAITING)
            ]
            size = 0 if data is None else folders.size(data)
            # While something waits, it is never the same.
            return size, time.monotonic() if any(left) else 0.0

        folders.wait_until_still(look, still_s, _PATIENCE_S)
    return time.monotonic() - began - still_s


def load_peer(client: Client, filled: Filled) -> None:
    for node_id, series in filled.series.items():
        victoria.load(client, node_id, series)


def _feed(
    url: str, node_id: str, samples: Iterator[replicas.Sample], series: dict[str, Series]
) -> Iterator[int]:
    """Push a batch at each turn; yield how many snapshots it held."""
    boot_id = str(uuid.uuid4())
    seq = 0
    with Client(url, _token(url, node_id)) as client:
        while batch := list(islice(samples, codec.MAX_LINES)):
            snapshots = [
                Snapshot(seq + place, boot_id, sample.ts, sample.values)
                for place, sample in enumerate(batch)
            ]
            body = b"\n".join(codec.encode(snapshot) for snapshot in snapshots)
            told = client.post(f"/api/ingest/{node_id}", body, _NDJSON)
            reply = codec.decode(told, IngestReply)
            if reply.accepted != len(batch):
                raise click.ClickException(f"of {len(batch)} snapshots it took {reply.accepted}")
            seq += len(batch)
            gather(batch, series)
            yield len(batch)


def gather(samples: list[replicas.Sample], series: dict[str, Series]) -> None:
    """Append snapshots to columns."""
    for sample in samples:
        for key, value in sample.values.items():
            one = series.get(key)
            if one is None:
                one = series[key] = Series(array("q"), array("d"))
            one.times.append(sample.ts)
            one.values.append(value)


def _token(url: str, node_id: str) -> str:
    with Client(url, servers.ADMIN_SECRET) as admin:
        body = codec.encode(MintToken(node_id=node_id))
        told = admin.post("/api/tokens", body, "application/json")
    return codec.decode(told, MintedToken).token
