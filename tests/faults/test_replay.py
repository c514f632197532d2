"""A replay is history: it changes no live value and raises no alarm."""

from __future__ import annotations

import time
from typing import Any

from tests.faults.conftest import Start
from tests.faults.pushes import new_boot, snapshot
from tests.process import CollectorProcess

HOUR_MS = 3_600_000


def now_ms() -> int:
    return int(time.time() * 1000)


def cpu_history(collector: CollectorProcess, node_id: str) -> list[Any]:
    with collector.client() as admin:
        points = admin.get(f"/api/nodes/{node_id}/snapshot")["points"]
    return [point["values"]["cpu.pct"] for point in points]


def test_a_replay_changes_no_live_value_and_makes_no_status_event(start: Start) -> None:
    collector = start()
    boot_id, old_boot_id = new_boot(), new_boot()
    with collector.client(collector.mint(node_id="n1")) as client:
        assert client.push("n1", snapshot(boot_id, 10, cpu=10)).status == 200
        live = collector.node("n1")["latest"]

        hours_ago = now_ms() - 6 * HOUR_MS
        older = [snapshot(boot_id, seq, ts=hours_ago + seq, cpu=seq) for seq in range(10)]
        oldest = [snapshot(old_boot_id, seq, ts=hours_ago - 99 + seq, cpu=90) for seq in range(5)]
        # A batch with a wrong clock may even claim to be newer than what is live.
        ahead = [snapshot(old_boot_id, 5, ts=now_ms() + HOUR_MS, cpu=95)]
        for batch in (older, oldest, ahead):
            assert client.replay("n1", batch).json()["accepted"] == len(batch)
            assert client.replay("n1", batch).json()["duplicates"] == len(batch)

        assert collector.node("n1")["latest"] == live
        assert client.push("n1", snapshot(boot_id, 11, cpu=11)).status == 200

    assert collector.node("n1")["latest"]["values"]["cpu.pct"] == 11
    assert collector.events("node.status_changed") == []
    assert cpu_history(collector, "n1") == [90] * 5 + list(range(12)) + [95]


def test_a_late_live_push_of_an_earlier_boot_does_not_come_back_to_life(start: Start) -> None:
    collector = start()
    first, second = new_boot(), new_boot()
    with collector.client(collector.mint(node_id="n1")) as client:
        assert client.push("n1", snapshot(first, 0, cpu=1)).status == 200
        assert client.push("n1", snapshot(second, 0, cpu=2)).status == 200
        assert client.push("n1", snapshot(first, 1, cpu=3)).status == 200
        assert client.push("n1", snapshot(second, 0, cpu=4)).json()["duplicates"] == 1
    assert collector.node("n1")["latest"]["values"]["cpu.pct"] == 2


def test_a_boot_first_heard_of_by_its_replay_goes_live_with_its_first_live_push(
    start: Start,
) -> None:
    collector = start()
    old_boot_id, boot_id = new_boot(), new_boot()
    with collector.client(collector.mint(node_id="n1")) as client:
        assert client.push("n1", snapshot(old_boot_id, 0, cpu=50)).status == 200
        assert client.replay("n1", [snapshot(boot_id, 0, cpu=60)]).status == 200
        assert client.push("n1", snapshot(boot_id, 0, cpu=60)).json()["duplicates"] == 1
        assert collector.node("n1")["latest"]["values"]["cpu.pct"] == 50

        for seq in (1, 2):
            assert client.push("n1", snapshot(boot_id, seq, cpu=60 + seq)).status == 200
            assert collector.node("n1")["latest"]["values"]["cpu.pct"] == 60 + seq
    assert collector.stop() == 0
    assert start().node("n1")["latest"]["values"]["cpu.pct"] == 62
