"""Two days offline and back: a real agent replays a spool that was made beforehand to a real
collector, all of it, in order and once, and its live pushes stay on time."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.agent_process import running_agent
from tests.integration.agent import spooled
from tests.process import ADMIN_SECRET, CollectorProcess, running_collector, wait_for

HOURS = 48
STEP_S = 30
BOOTS = 3
POINTS = 288


def logged(state: Path, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (state / "agent.log").read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def cpu_of(collector: CollectorProcess, from_ms: int, to_ms: int) -> list[tuple[int, float]]:
    """Return every snapshot of a stretch that is short enough to be told in full."""
    with collector.client() as admin:
        history = admin.get(
            f"/api/nodes/n1/history?from={from_ms}&to={to_ms}&points=3600&metrics=cpu.pct"
        )
    assert history["step_ms"] == 1
    series = history["series"].get("cpu.pct", {"avg": []})["avg"]
    points = zip(history["ts"], series, strict=False)
    return [(ts, value) for ts, value in points if value is not None]


@pytest.fixture(scope="module")
def caught_up(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("catching-up")
    state = folder / "agent"
    count = spooled.fill(state / "state", "n1", hours=HOURS, step_s=STEP_S, boots=BOOTS)
    began_ms = int(time.time() * 1000)
    with (
        running_collector(folder / "data", "--history-hours", "50") as collector,
        running_agent(collector, "n1", state, "--interval", "1"),
    ):
        wait_for(
            lambda: logged(state, "replayed") or None, "the spool to be replayed", patience_s=40
        )
        ended_ms = int(time.time() * 1000)
        yield collector, state, count, began_ms, ended_ms


def test_all_of_it_is_there_in_order_and_once(caught_up: Any) -> None:
    collector, state, count, began_ms, _ = caught_up
    # One that was taken while a batch was on its way is spooled, and sent live all the same.
    assert logged(state, "replayed")[0]["snapshots"] >= count
    assert not list((state / "state" / "spool").glob("*.ndjson"))
    found: list[tuple[int, float]] = []
    begin_ms = began_ms - 50 * 3_600_000
    for hour in range(50):
        from_ms = begin_ms + hour * 3_600_000
        found += cpu_of(collector, from_ms, min(began_ms - 1000, from_ms + 3_600_000))
    assert len(found) == count
    assert [value for _, value in found] == [number % 1000 / 10 for number in range(count)]
    assert {after - before for (before, _), (after, _) in pairwise(found)} == {STEP_S * 1000}


def test_live_pushes_stay_on_time_meanwhile(caught_up: Any) -> None:
    collector, _, _, began_ms, ended_ms = caught_up
    live = [ts for ts, _ in cpu_of(collector, began_ms - 1000, ended_ms + 60_000)]
    assert len(live) >= 2, "it took so short that nothing was live meanwhile"
    # The first comes at once, the next in phase; then every second.
    assert all(after - before < 2_000 for before, after in pairwise(live))


def test_the_two_days_are_told_in_one_question(caught_up: Any) -> None:
    collector, _, _, began_ms, _ = caught_up
    from_ms = began_ms - HOURS * 3_600_000
    with collector.client() as admin:
        history = admin.get(f"/api/nodes/n1/history?from={from_ms}&points=300")
    assert len(history["series"]) >= 40
    cpu = history["series"]["cpu.pct"]["avg"]
    assert POINTS <= len(cpu) <= 300
    assert sum(value is None for value in cpu) <= 1


def test_a_replay_raised_no_flag_and_no_alarm(caught_up: Any) -> None:
    collector, *_ = caught_up
    assert collector.node("n1")["status"] == "online"
    assert collector.node("n1")["shares_token_of"] is None
    assert collector.events("node.status_changed") == []
    assert ADMIN_SECRET not in collector.log_path.read_text()
