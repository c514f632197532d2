"""scripts/bench replaying: how live pushes fare while agents replay what they measured offline."""

from __future__ import annotations

import json
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import click

from forge_agent.core import pacing, spooling
from forge_agent.core.pacing import Retry
from scripts.benches import machine, servers
from scripts.benches.ingest import Result, driven

_STEP_MS: Final = 5000
_TIMEOUT_S: Final = 10.0
_VALUES: Final = 40


@click.command("replaying")
@click.option("--nodes", default=2000, show_default=True, help="That push live, every 5 s.")
@click.option("--agents", default=50, show_default=True, help="That replay meanwhile.")
@click.option("--seconds", default=20.0, show_default=True)
def command(nodes: int, agents: int, seconds: float) -> None:
    """Live pushes without and beside agents that replay as fast as they are let."""
    click.echo(f"{nodes} nodes every 5 s for {seconds:g} s; then beside {agents} that replay")
    click.echo(machine.described())
    with tempfile.TemporaryDirectory() as data, servers.collector(Path(data)) as url:
        click.echo(f"  alone   {_told(driven(url, nodes, 5, seconds))}")
        replays = _Replays(url, agents)
        with replays:
            beside = driven(url, nodes, 5, seconds)
        click.echo(f"  beside  {_told(beside)}")
        click.echo(f"  replays {replays.told()}")


def _told(result: Result) -> str:
    return (
        f"{result.pushes} pushes, {result.errors} errors, p50 {result.p50_ms:.1f} ms, "
        f"p99 {result.p99_ms:.1f} ms, {result.cpu_share:.0%} of a core"
    )


class _Replays:
    """Agents that replay, a thread each, while the block lasts; by the agent's own pace."""

    def __init__(self, url: str, agents: int) -> None:
        self._url = url
        self._tokens = {
            f"replay-{number}": self._minted(f"replay-{number}") for number in range(agents)
        }
        self._stopping = threading.Event()
        self._counted: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(agents)
        self._began_s = self._took_s = 0.0

    def __enter__(self) -> None:
        self._began_s = time.monotonic()
        for node_id, token in self._tokens.items():
            self._pool.submit(self._replay, node_id, token)

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._pool.shutdown()
        self._took_s = time.monotonic() - self._began_s

    def told(self) -> str:
        lines, batches = self._counted["lines"], self._counted["batches"]
        return (
            f"{lines / self._took_s:,.0f} snapshots/s in {batches / self._took_s:.1f} batches/s, "
            f"refused {self._counted['refused'] / self._took_s:.1f}/s, "
            f"failed {self._counted['failed']}"
        )

    def _replay(self, node_id: str, token: str) -> None:
        boot_id, seq, retry, most = str(uuid.uuid4()), 0, Retry(), spooling.BATCH_LINES
        while not self._stopping.wait(max(0.0, retry.not_before_s - time.monotonic())):
            body = _batch(boot_id, seq, most)
            begun_s = time.monotonic()
            status, retry_after_s = self._sent(node_id, token, body)
            now_s = time.monotonic()
            if status == 200:
                seq += most
                retry.succeeded(now_s, pacing.replay_pause_s(now_s - begun_s))
                self._count("batches", 1)
                self._count("lines", most)
                most = pacing.lines_after(most, most, now_s - begun_s)
            else:
                self._count("refused" if status == 503 else "failed", 1)
                retry.failed(now_s, retry_after_s)
                most = pacing.lines_after_refusal(most)

    def _count(self, what: str, number: int) -> None:
        with self._lock:
            self._counted[what] += number

    def _sent(self, node_id: str, token: str, body: bytes) -> tuple[int, float]:
        headers = {"Content-Type": "application/x-ndjson"}
        try:
            with self._opened(f"/api/ingest/{node_id}", token, body, headers) as response:
                response.read()
                return int(response.status), 0.0
        except urllib.error.HTTPError as error:
            with error:
                return error.code, float(error.headers.get("Retry-After") or 0)
        except OSError:
            return 0, 0.0

    def _minted(self, node_id: str) -> str:
        body = json.dumps({"node_id": node_id}).encode()
        headers = {"Content-Type": "application/json"}
        with self._opened("/api/tokens", servers.ADMIN_SECRET, body, headers) as response:
            return str(json.load(response)["token"])

    def _opened(self, path: str, token: str, body: bytes, headers: dict[str, str]) -> Any:
        request = urllib.request.Request(  # noqa: S310  a collector of our own
            self._url + path, body, {"Authorization": f"Bearer {token}", **headers}
        )
        return urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310  the same


def _batch(boot_id: str, seq: int, lines: int) -> bytes:
    """Return so many snapshots of two days ago on, with 40 values each."""
    begins_ms = time.time_ns() // 1_000_000 - 172_800_000
    values = ",".join(f'"cpu.core_pct/{core}":{core + 0.5}' for core in range(_VALUES - 1))
    return b"".join(
        b'{"seq":%d,"boot_id":"%b","ts":%d,"values":{"cpu.pct":%d,%b}}\n'
        % (number, boot_id.encode(), begins_ms + number * _STEP_MS, number % 100, values.encode())
        for number in range(seq, seq + lines)
    )
