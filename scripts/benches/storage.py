"""scripts/bench storage: what 48 hours cost on disk, beside VictoriaMetrics, same samples."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

import click

from forge_collector.config import DATABASE_FILE
from scripts.benches import fleet_history, folders, machine, replicas, servers, victoria
from scripts.benches.fleet_history import INTERVAL_MS, Filled, Plan
from scripts.benches.http_client import Client
from scripts.benches.victoria import NodeSeries, Series

_ROLLUPS: Final = "rollups"
_TARGET_B: Final = 0.5
_TARGET_RATIO: Final = 0.8
_LONGEST_BLOCK: Final = 8192  # samples of a series that the peer compresses together


class Ours(NamedTuple):
    """The data folder of a stopped collector, in bytes. ``tables``: pages, largest first."""

    folder: int
    rollups: int
    tables: list[tuple[str, int]]


@click.command("storage")
@fleet_history.nodes_option
@fleet_history.hours_option
@fleet_history.recording_option
@click.option("--control/--no-control", default=True, help="Whether the hours are like recorded.")
def command(nodes: int, hours: float, recording: Path, *, control: bool) -> None:
    """Bytes a sample of the whole data folder in steady state, beside VictoriaMetrics."""
    servers.check_installed(victoria.PROGRAM)
    plan = fleet_history.plan(recording, nodes, hours)
    click.echo(fleet_history.described(plan))
    click.echo(machine.described())
    with folders.temporary(2) as (own, peer):
        filled, ours = _ours(plan, own)
        with victoria.running(peer) as url, Client(url) as client:
            fleet_history.load_peer(client, filled)
            victoria.settle(client, peer)
        theirs = victoria.footprint(peer)
    _report(filled, ours, theirs)
    if control:
        _control(plan, filled, theirs)


def _ours(plan: Plan, data: Path) -> tuple[Filled, Ours]:
    with fleet_history.collector(data, plan) as url:
        filled = fleet_history.fill(url, plan)
        rate = filled.snapshots / filled.seconds
        click.echo(f"{filled.described()}; replayed in {filled.seconds:.0f} s ({rate:,.0f}/s)")
        click.echo(f"steady after another {fleet_history.settle(url, data):.0f} s")
    return filled, measured(data)


def measured(data: Path) -> Ours:
    """Look at a data folder that nobody uses."""
    with closing(sqlite3.connect(f"file:{data / DATABASE_FILE}?mode=ro", uri=True)) as db:
        tables = db.execute(
            "SELECT name, SUM(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC"
        ).fetchall()
        (free,) = db.execute(
            "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size"
        ).fetchone()
        rollups = _content(db, _ROLLUPS)
    return Ours(folders.size(data), rollups, [*tables, ("free pages", free)])


def _content(db: sqlite3.Connection, table: str) -> int:
    """Return the bytes of what a table's blobs hold, without what surrounds them."""
    columns = [row[1] for row in db.execute("SELECT * FROM pragma_table_info(?)", (table,))]
    if not columns:
        return 0
    lengths = " + ".join(
        f"CASE typeof({column}) WHEN 'blob' THEN LENGTH({column}) ELSE 0 END" for column in columns
    )
    (found,) = db.execute(f"SELECT COALESCE(SUM({lengths}), 0) FROM {table}").fetchone()
    return int(found)


def _report(filled: Filled, ours: Ours, theirs: victoria.Footprint) -> None:
    samples = filled.samples
    mine = (ours.folder - ours.rollups) / samples
    click.echo(
        f"collector        {mine:.3f} B a sample: a folder of {ours.folder:,} B without "
        f"{ours.rollups:,} B of rollups kept for 30 days ({ours.rollups / samples:.3f} B a sample)"
    )
    parts = ", ".join(f"{name} {size:,}" for name, size in ours.tables[:6])
    click.echo(f"                 of its pages: {parts}")
    data = theirs.data / samples
    click.echo(
        f"VictoriaMetrics  {data:.3f} B a sample: its data {theirs.data:,} B, of which values "
        f"{theirs.values / samples:.3f} and timestamps {theirs.times / samples:.3f} B a sample; "
        f"with its index of names {(theirs.data + theirs.names) / samples:.3f}, its whole folder "
        f"{theirs.folder / samples:.3f} ({victoria.version()})"
    )
    reached = mine <= _TARGET_B and mine <= _TARGET_RATIO * data
    click.echo(
        f"ratio            {mine / data:.2f} to its data, "
        f"{mine * samples / (theirs.data + theirs.names):.2f} with its index, "
        f"{mine * samples / theirs.values:.2f} to its values alone "
        f"(goal: {_TARGET_RATIO} and {_TARGET_B} B: {'reached' if reached else 'missed'})"
    )


# --- is it like what was recorded? ------------------------------------------------------------


def _control(plan: Plan, filled: Filled, whole: victoria.Footprint) -> None:
    """Compare, as the peer stores their values, what was recorded and what was made of it.

    In pieces of one length: longer blocks pack better, whatever is in them. Were the nodes' two
    days repetitions in disguise, the whole would be far below its pieces.
    """
    views = replicas.views(plan.trace, INTERVAL_MS)
    recorded = [_series(replicas.as_recorded(view, plan.start_ms)) for view in views]
    length = min(_length(series) for series in recorded)
    hours = length * INTERVAL_MS / 3_600_000
    click.echo("control, bytes a sample of VictoriaMetrics' values alone, without timestamps:")
    for cut in (length // 2, length):
        alone = _peer_bytes(_windows(recorded, cut))
        alike = _peer_bytes(_windows(filled.series.values(), cut))
        click.echo(
            f"  in pieces of {cut:,} snapshots: as recorded {alone:.3f}, "
            f"of these nodes {alike:.3f} ({alike / alone - 1:+.1%})"
        )
    repeated = _repeated(recorded[0], round(plan.hours * 3_600_000 / INTERVAL_MS))
    click.echo(
        f"  whole, in blocks of up to {_LONGEST_BLOCK:,}: {whole.values / filled.samples:.3f}; "
        f"{hours:.1f} h merely repeated would have shown {_peer_bytes([repeated]):.3f}"
    )


def _series(samples: list[replicas.Sample]) -> NodeSeries:
    found: dict[str, Series] = {}
    fleet_history.gather(samples, found)
    return found


def _length(node: NodeSeries) -> int:
    return max(len(one.times) for one in node.values())


def _windows(nodes: Iterable[NodeSeries], length: int) -> Iterator[NodeSeries]:
    for node in nodes:
        for begin in range(0, _length(node) - length + 1, length):
            end = begin + length
            yield {
                key: Series(one.times[begin:end], one.values[begin:end])
                for key, one in node.items()
            }


def _repeated(node: NodeSeries, length: int) -> NodeSeries:
    found: dict[str, Series] = {}
    for key, one in node.items():
        times = array("q", (one.times[0] + place * INTERVAL_MS for place in range(length)))
        rounds = -(-length // len(one.values))
        found[key] = Series(times, (one.values * rounds)[:length])
    return found


def _peer_bytes(many: Iterable[NodeSeries]) -> float:
    """Return the bytes a sample that these series' values take, each a node of its own."""
    samples = 0
    with folders.temporary(1) as (folder,):
        with victoria.running(folder) as url, Client(url) as client:
            for number, series in enumerate(many):
                victoria.load(client, f"c{number}", series)
                samples += sum(len(one.times) for one in series.values())
            victoria.settle(client, folder)
        return victoria.footprint(folder).values / samples
