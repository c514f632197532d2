"""scripts/bench jobs: what the queue does a second, durably, beside other queues in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import click

from scripts.benches import machine, servers
from scripts.benches.http_client import Client
from scripts.benches.queues import installing, measuring, on_forge, stores
from scripts.benches.queues.installing import Installed

_LEVELS: Final = (1, 8, 64)
_JOBS: Final = {1: 1500, 8: 4000, 64: 5000}
_FEW_JOBS: Final = {1: 300, 8: 600, 64: 600}
_STARTS: Final = 60
_PAUSE_MS: Final = 40.0  # the slowest of them has done its job by then
_PATIENCE_S: Final = 300
_HERE: Final = Path(__file__).parent / "queues"
_PEER: Final = "BullMQ, always"
_SYNCS: Final = 200


class System(NamedTuple):
    """A queue under measurement. ``jobs``: of a measurement, at each concurrency. ``one_slot``: as
    many workers of one slot, not one of many. ``together``: a request submits as many jobs as the
    others have requests at a time, and one follows the other. ``waits``: its workers wait for jobs
    by themselves. ``reference``: measured in the first round alone."""

    name: str
    command: Sequence[str]
    store: Any
    jobs: Mapping[int, int]
    one_slot: bool = False
    together: bool = False
    waits: bool = True
    reference: bool = False


class Figures(NamedTuple):
    """Of each system and concurrency, one figure a round; of starts, all in ms."""

    submits: defaultdict[tuple[str, int], list[float]]
    cycles: defaultdict[tuple[str, int], list[float]]
    starts: defaultdict[str, list[list[float]]]


@click.command("jobs")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 20))
@click.option("--seconds", default=0.7, show_default=True, help="Of each measurement, about.")
@click.option("--only", multiple=True, help="Only systems whose name holds this.")
def command(rounds: int, seconds: float, only: tuple[str, ...]) -> None:
    """Durable submits and claim-and-complete cycles a second, and the time until a start, beside
    BullMQ, Procrastinate, RQ, and two queues in local files."""
    stores.check_installed()
    peers = installing.installed()
    figures = Figures(defaultdict(list), defaultdict(list), defaultdict(list))
    with _systems(peers) as every:
        systems = [one for one in every if not only or any(part in one.name for part in only)]
        click.echo(_settings(rounds))
        for number in range(rounds):
            for system in systems if number % 2 == 0 else reversed(systems):
                if number == 0 or not system.reference:
                    _measure(system, number, seconds, figures)
    _report(systems, figures)


# --- the systems ------------------------------------------------------------------------------


@contextmanager
def _systems(peers: Installed) -> Iterator[list[System]]:
    """Start what all of them stand on; idle they take nothing from each other."""
    python = str(peers.python)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="forge-bench-")))
        (folder / "collector").mkdir(mode=0o700)
        # As many jobs of a class on one worker as the bench wants at once.
        limit = f"cpu={max(_LEVELS)}"
        url = stack.enter_context(servers.collector(folder / "collector", "--worker-slots", limit))
        forge = {"url": url, **_tokens(url)}
        always = stack.enter_context(stores.redis("always"))
        everysec = stack.enter_context(stores.redis("everysec"))
        postgres = stack.enter_context(stores.postgres())
        procrastinate = _program(python, "on_procrastinate")
        _run([*procrastinate, "prepare", postgres["conninfo"]])
        ours = _program(sys.executable, "on_forge")
        bullmq = ("node", str(_HERE / "on_bullmq.mjs"))
        local = {"folder": str(folder)}
        os.environ["NODE_PATH"] = str(peers.node_modules)
        yield [
            System("forge", ours, forge, _JOBS),
            System("forge, workers of one slot", ours, forge, _JOBS, one_slot=True),
            System("forge, N a request", ours, forge, _JOBS, together=True),
            System(_PEER, bullmq, always, _JOBS),
            System("BullMQ, everysec", bullmq, everysec, _JOBS),
            System("Procrastinate", procrastinate, postgres, _FEW_JOBS),
            System("RQ, always", _program(python, "on_rq"), always, _FEW_JOBS),
            System(
                "SqliteHuey", _program(python, "on_huey"), local, {1: 1000, 8: 1000}, reference=True
            ),
            System(
                "litequeue",
                _program(python, "on_litequeue"),
                local,
                {1: 1000, 8: 1000},
                waits=False,
                reference=True,
            ),
        ]


def _program(python: str, name: str) -> tuple[str, ...]:
    return (python, "-m", f"scripts.benches.queues.{name}")


def _tokens(url: str) -> dict[str, str]:
    wanted = {
        "node_token": {"node_id": on_forge.NODE},
        "submitter_token": {"role": "submitter", "name": "bench"},
    }
    with Client(url, servers.ADMIN_SECRET) as admin:
        return {
            name: json.loads(
                admin.post("/api/tokens", json.dumps(body).encode(), "application/json")
            )["token"]
            for name, body in wanted.items()
        }


# --- measuring --------------------------------------------------------------------------------


def _measure(system: System, number: int, seconds: float, figures: Figures) -> None:
    for level, jobs in system.jobs.items():
        if level == 1 and system.one_slot:
            continue  # one worker of one slot was measured already
        wanted = {
            "queue": f"bench-{number}-{level}-{int(system.one_slot)}{int(system.together)}",
            "store": system.store,
            "concurrency": level,
            "jobs": jobs,
            "seconds": seconds,
            "one_slot": system.one_slot,
            "together": system.together,
        }
        answer = _run([*system.command, "cycles", json.dumps(wanted)])
        submits, cycles = (
            count / took_s for count, took_s in (answer["submitted"], answer["cycled"])
        )
        told: list[str] = []
        if not system.one_slot:  # submitting is no different then
            figures.submits[system.name, level].append(submits)
            told.append(f"{submits:,.0f} submits/s")
        if not system.together:  # nor is working
            figures.cycles[system.name, level].append(cycles)
            told.append(f"{cycles:,.0f} cycles/s")
        click.echo(f"round {number + 1}, {system.name}, {level}: {', '.join(told)}", err=True)
    if system.waits and not (system.one_slot or system.together):
        figures.starts[system.name].append(_starts(system, f"bench-{number}-start"))


def _starts(system: System, queue: str) -> list[float]:
    """Return how long after its submission each job started, on a worker that had nothing to do."""
    wanted = json.dumps(
        {"queue": queue, "store": system.store, "jobs": _STARTS, "pause_ms": _PAUSE_MS}
    )
    with servers.running([*system.command, "start", wanted]) as output:
        output.first_line(measuring.READY)
        _run([*system.command, "send", wanted])
        told: dict[str, list[float]] = json.loads(output.first_line('{"start_ms"'))
    return told["start_ms"]


def _run(command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(
        command, cwd=servers.ROOT, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
    )
    if done.returncode:
        said = (done.stdout + done.stderr)[-2000:]
        raise click.ClickException(f"{command[-3]} {command[-2]} failed:\n{said}")
    last = done.stdout.rstrip().rpartition("\n")[2]
    answer: dict[str, Any] = json.loads(last) if last else {}
    return answer


# --- telling ----------------------------------------------------------------------------------


def _settings(rounds: int) -> str:
    told = [
        machine.described(),
        stores.versions(),
        ", ".join(
            f"{name} {installing.version(name)}"
            for name in ("bullmq", "ioredis", "procrastinate", "rq", "huey", "litequeue")
        ),
        f"fdatasync of 4 KiB added to a file, where all keep theirs: median {_sync_ms():.2f} ms",
        "forge: an fsync each commit; BullMQ and RQ: Redis, appendonly, appendfsync as named",
        "Procrastinate: PostgreSQL, fsync and synchronous_commit on",
        "SqliteHuey, litequeue: synchronous=FULL, no network",
        f"{rounds} rounds in turn; medians, in brackets the least and the most",
    ]
    return "\n".join(told)


def _sync_ms() -> float:
    took: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(_SYNCS):
            file.write(bytes(4096))
            file.flush()
            began = time.monotonic()
            os.fdatasync(file.fileno())
            took.append((time.monotonic() - began) * 1000)
    return median(took)


def _report(systems: Sequence[System], figures: Figures) -> None:
    for title, found in (
        ("durable submits a second", figures.submits),
        ("claim-and-complete cycles a second", figures.cycles),
    ):
        click.echo(f"\n{title}, so many at a time, and how many times those of {_PEER}")
        click.echo(_row("", [str(level) for level in _LEVELS]))
        for system in systems:
            cells = [_cell(found, system.name, level) for level in _LEVELS]
            click.echo(_row(system.name, cells))
    click.echo("\nfrom submit to start, ms: p50, p99 (median of the rounds)")
    for name, rounds in figures.starts.items():
        p50, p99 = (median(_at(late, share) for late in rounds) for share in (0.5, 0.99))
        least, most = (pick(_at(late, 0.5) for late in rounds) for pick in (min, max))
        click.echo(_row(name, [f"{p50:.2f} ({least:.2f}-{most:.2f})", f"{p99:.1f}"]))


def _cell(found: Mapping[tuple[str, int], list[float]], name: str, level: int) -> str:
    figures, peer = found.get((name, level)), found.get((_PEER, level))
    if not figures:
        return "-"
    told = f"{median(figures):,.0f} ({min(figures):,.0f}-{max(figures):,.0f})"
    # Of one round each: what else the machine did then, it did to both.
    ratios = [own / other for own, other in zip(figures, peer or (), strict=False)]
    return f"{told} x{median(ratios):.2f}" if ratios and name != _PEER else told


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:28}" + "".join(f"{cell:>30}" for cell in cells)


def _at(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(share * len(values))]
