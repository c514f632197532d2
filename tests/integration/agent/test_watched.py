"""A real agent at a real collector: every second while somebody watches, else as usual."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.agent_process import running_agent
from tests.process import ADMIN_SECRET, CollectorProcess, running_collector, wait_for

TOKEN = {"Authorization": f"Bearer {ADMIN_SECRET}"}


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    with running_collector(tmp_path / "data") as process:
        yield process


class Viewer:
    """Reads a node's stream, and notes when its snapshots came."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self.times_s: list[float] = []
        self.points: list[dict[str, Any]] = []

    def read(self, count: int) -> None:
        """Read so many more snapshots; fails when the connection's patience ends."""
        while count:
            line = self._response.readline()
            assert line, "the stream ended"
            if line.startswith(b"data: "):
                self.times_s.append(time.monotonic())
                self.points.append(json.loads(line[6:]))
                count -= 1


@contextmanager
def viewing(collector: CollectorProcess, node_id: str) -> Iterator[Viewer]:
    connection = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=20)
    try:
        connection.request("GET", f"/api/nodes/{node_id}/events", headers=TOKEN)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        yield Viewer(response)
    finally:
        connection.close()


def first_push(collector: CollectorProcess) -> None:
    with collector.client() as admin:
        wait_for(lambda: bool(admin.get("/api/fleet")["nodes"]), "the first push")


def latest_ts(collector: CollectorProcess, node_id: str) -> int:
    with collector.client() as admin:
        return int((admin.get(f"/api/nodes/{node_id}")["latest"] or {"ts": 0})["ts"])


def next_ts(collector: CollectorProcess, node_id: str, after: int) -> int:
    def look() -> int | None:
        ts = latest_ts(collector, node_id)
        return ts if ts > after else None

    return wait_for(look, "a later snapshot")


def test_an_agent_falls_into_the_watchers_rhythm_and_back(
    collector: CollectorProcess, tmp_path: Path
) -> None:
    with running_agent(collector, "n1", tmp_path / "agent"):
        first_push(collector)
        with viewing(collector, "n1") as viewer:
            began_s = time.monotonic()
            viewer.read(8)
            # The latest at once; the next within its turn, and from then on every second.
            assert viewer.times_s[0] - began_s < 1
            assert viewer.times_s[1] - began_s < 7
            gaps_ms = [after["ts"] - before["ts"] for before, after in pairwise(viewer.points)]
            assert all(900 <= gap_ms <= 1_100 for gap_ms in gaps_ms[2:]), gaps_ms
            # Less would make steps of the counters into rates.
            assert min(gaps_ms) >= 500, gaps_ms
            # However long since the snapshot before it, a rate is a rate from the first on.
            for point in viewer.points[1:]:
                assert 0 <= point["values"]["cpu.pct"] <= 100
        ended_ts = viewer.points[-1]["ts"]

        def usual_gap_ms() -> int | None:
            before = latest_ts(collector, "n1")
            gap_ms = next_ts(collector, "n1", before) - before
            return gap_ms if gap_ms > 4_000 else None

        assert 4_900 <= wait_for(usual_gap_ms, "the usual rhythm") <= 5_600
        # It was told so with its first push or two after the stream was closed.
        assert latest_ts(collector, "n1") - ended_ts < 15_000
    assert collector.node("n1")["status"] == "online"


def test_an_owners_longer_interval_is_kept(collector: CollectorProcess, tmp_path: Path) -> None:
    with running_agent(collector, "n1", tmp_path / "agent", "--interval", "3"):
        first_push(collector)
        with viewing(collector, "n1") as viewer:
            viewer.read(5)
        gaps_ms = [after["ts"] - before["ts"] for before, after in pairwise(viewer.points)]
        assert all(2_900 <= gap_ms <= 3_100 for gap_ms in gaps_ms[2:]), gaps_ms
