"""scripts/bench history: how long one node's history takes to ask for, beside VictoriaMetrics."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from scripts.benches import fleet_history, folders, machine, servers, victoria
from scripts.benches.fleet_history import Plan
from scripts.benches.http_client import Client

_POINTS: Final = 300
_WARM_UP: Final = 5
_OTHER_HOURS: Final = (24.0, 6.0, 1.0)
_TARGET_MS: Final = 25.0
_COLLECTOR: Final = "collector: avg, min, max"
_PEER: Final = "VictoriaMetrics: last"
_PEER_ALIKE: Final = "VictoriaMetrics: avg, min, max"


class Times(NamedTuple):
    """Milliseconds from request to the last byte of the reply; ``size`` of a reply in bytes."""

    p50: float
    p99: float
    size: int


@click.command("history")
@fleet_history.nodes_option
@fleet_history.hours_option
@fleet_history.recording_option
@click.option("--requests", default=100, show_default=True, type=click.IntRange(50, 10_000))
def command(nodes: int, hours: float, recording: Path, requests: int) -> None:
    """All series of one node in 300 points: p50 and p99, beside VictoriaMetrics in turn."""
    servers.check_installed(victoria.PROGRAM)
    plan = fleet_history.plan(recording, nodes, hours)
    click.echo(fleet_history.described(plan))
    click.echo(f"{machine.described()}; VictoriaMetrics {victoria.version()}, nocache=1")
    with _both(plan) as (own_url, peer_url):
        for shown_hours in (hours, *(some for some in _OTHER_HOURS if some < hours)):
            with Client(own_url, servers.ADMIN_SECRET) as own, Client(peer_url) as peer:
                _report(shown_hours, *_compared(plan, own, peer, shown_hours, requests))


@contextmanager
def _both(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the addresses of a collector and of its peer that hold the same."""
    with ExitStack() as stack:
        own_folder, peer_folder = stack.enter_context(folders.temporary(2))
        url = stack.enter_context(fleet_history.collector(own_folder, plan))
        filled = fleet_history.fill(url, plan)
        peer_url = stack.enter_context(victoria.running(peer_folder))
        with Client(peer_url) as peer:
            fleet_history.load_peer(peer, filled)
            victoria.settle(peer, peer_folder)
        waited_s = fleet_history.settle(url)
        click.echo(f"{filled.described()}; sealed after another {waited_s:.0f} s")
        yield url, peer_url


def _compared(
    plan: Plan, own: Client, peer: Client, hours: float, requests: int
) -> tuple[int, Mapping[str, Times]]:
    """Ask both in turn, each time for the next node; return the step in s, and the times."""
    from_ms = plan.end_ms - round(hours * 3_600_000)
    node_ids = plan.node_ids()
    path = f"history?from={from_ms}&to={plan.end_ms}&points={_POINTS}"
    first: dict[str, Any] = json.loads(own.get(f"/api/nodes/{node_ids[0]}/{path}"))
    step_s = max(1, first["step_ms"] // 1000)

    def of_peer(node_id: str, form: str) -> bytes:
        query = form.format(f'{{node="{node_id}"}}')
        return peer.get(victoria.range_query(query, from_ms, plan.end_ms, step_s))

    ways: dict[str, Callable[[str], bytes]] = {
        _COLLECTOR: lambda node_id: own.get(f"/api/nodes/{node_id}/{path}"),
        _PEER: lambda node_id: of_peer(node_id, "{}"),
        _PEER_ALIKE: lambda node_id: of_peer(node_id, f"rollup({{}}[{step_s}s])"),
    }
    _check_alike(len(first["series"]), ways, node_ids[0])
    took: dict[str, list[float]] = {name: [] for name in ways}
    sizes: dict[str, int] = {}
    for number in range(-_WARM_UP, requests):
        node_id = node_ids[number % len(node_ids)]
        for name, ask in ways.items():
            began = time.perf_counter()
            reply = ask(node_id)
            if number >= 0:
                took[name].append((time.perf_counter() - began) * 1000)
            sizes[name] = len(reply)
    return step_s, {name: _times(sorted(took[name]), sizes[name]) for name in ways}


def _check_alike(series: int, ways: Mapping[str, Callable[[str], bytes]], node_id: str) -> None:
    for name, a_series in ((_PEER, 1), (_PEER_ALIKE, 3)):
        told = len(json.loads(ways[name](node_id))["data"]["result"])
        if told != series * a_series:
            raise click.ClickException(f"{name}: {told} series, the collector told {series}")


def _times(took: list[float], size: int) -> Times:
    return Times(took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)], size)


def _report(hours: float, step_s: int, times: Mapping[str, Times]) -> None:
    click.echo(f"{hours:g} h in steps of {step_s} s")
    for name, one in times.items():
        click.echo(
            f"  {name:31} p50 {one.p50:6.1f} ms, p99 {one.p99:6.1f} ms, {one.size:,} B a reply"
        )
    own, peer, alike = times[_COLLECTOR], times[_PEER], times[_PEER_ALIKE]
    reached = own.p50 <= min(_TARGET_MS, peer.p50)
    click.echo(
        f"  ratio of p50: {own.p50 / peer.p50:.2f}, for the same figures "
        f"{own.p50 / alike.p50:.2f} (goal: {_TARGET_MS:g} ms and 1: "
        f"{'reached' if reached else 'missed'})"
    )
