"""A restart of the collector raises no false offline, and takes no true one back."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.conftest import Start
from tests.faults.pushes import new_boot, snapshot
from tests.process import CollectorProcess

HOUR_MS = 3_600_000

End = Callable[[CollectorProcess], object]


def stop(collector: CollectorProcess) -> None:
    assert collector.stop() == 0


ENDS = pytest.mark.parametrize("end", [stop, CollectorProcess.kill], ids=["SIGTERM", "kill -9"])


def let_time_pass(data: Path, ms: int) -> None:
    """Make all that the stopped collector noted lie that much longer ago."""
    with closing(sqlite3.connect(data / "fleet.db", isolation_level=None)) as raw:
        raw.execute("UPDATE nodes SET last_seen = last_seen - ?", (ms,))
        raw.execute("UPDATE collector SET value = value - ?", (ms,))


def silence(data: Path, node_id: str, ms: int) -> None:
    """Make a node have been silent that much longer when the collector stopped."""
    with closing(sqlite3.connect(data / "fleet.db", isolation_level=None)) as raw:
        raw.execute("UPDATE nodes SET last_seen = last_seen - ? WHERE id = ?", (ms, node_id))


def status(collector: CollectorProcess, node_id: str) -> str:
    return str(collector.node(node_id)["status"])


def let_statuses_age() -> None:
    """Let the collector look at every node's silence, which it does each second."""
    time.sleep(1.3)  # it is silence that is tested


def offline_events(collector: CollectorProcess) -> list[str]:
    changes = collector.events("node.status_changed")
    return [change["node"] for change in changes if change["after"] == "offline"]


@ENDS
def test_the_collectors_own_downtime_makes_no_node_offline(
    data: Path, start: Start, end: End
) -> None:
    collector = start()
    with collector.client(collector.mint(node_id="n1")) as client:
        assert client.push("n1", snapshot(new_boot(), 0)).status == 200
    end(collector)
    let_time_pass(data, 6 * HOUR_MS)

    again = start()

    assert status(again, "n1") == "online"
    let_statuses_age()
    assert status(again, "n1") == "online"
    assert again.events("node.status_changed") == []


@ENDS
def test_two_restarts_in_a_row_make_no_node_offline_either(
    data: Path, start: Start, end: End
) -> None:
    """An update, say: down for an hour, up for a moment, and down again before agents are back."""
    collector = start()
    with collector.client(collector.mint(node_id="n1")) as client:
        assert client.push("n1", snapshot(new_boot(), 0)).status == 200
    for _ in range(3):
        end(collector)
        let_time_pass(data, HOUR_MS)
        collector = start()

    assert status(collector, "n1") == "online"
    let_statuses_age()
    assert collector.events("node.status_changed") == []


@ENDS
def test_a_node_that_was_offline_still_is(data: Path, start: Start, end: End) -> None:
    collector = start()
    boot_id = new_boot()
    token = collector.mint(node_id="gone")
    with (
        collector.client(token) as gone,
        collector.client(collector.mint(node_id="here")) as here,
    ):
        assert gone.push("gone", snapshot(boot_id, 0, cpu=77)).status == 200
        assert here.push("here", snapshot(new_boot(), 0)).status == 200
    end(collector)
    silence(data, "gone", HOUR_MS)
    let_time_pass(data, HOUR_MS)

    for _ in range(2):
        collector = start()
        assert status(collector, "gone") == "offline"
        assert status(collector, "here") == "online"
        assert collector.node("gone")["latest"]["values"]["cpu.pct"] == 77
        assert offline_events(collector) == []  # it was said before the stop
        end(collector)

    collector = start()
    with collector.client(token) as gone:
        assert gone.push("gone", snapshot(boot_id, 1)).status == 200
    assert status(collector, "gone") == "online"
    changes = collector.events("node.status_changed")
    assert [(change["before"], change["after"]) for change in changes] == [("offline", "online")]


@ENDS
def test_what_is_live_comes_back_as_it_was(data: Path, start: Start, end: End) -> None:
    collector = start()
    boot_id = new_boot()
    host = {"hostname": "one", "os": "Debian", "cpu_cores": 2}
    with collector.client(collector.mint(node_id="n1")) as client:
        for seq in range(40):
            sent = {**snapshot(boot_id, seq, cpu=seq), "host": host}
            assert client.push("n1", sent).status == 200
    before = collector.node("n1")
    end(collector)

    again = start()

    assert again.node("n1") == before
    assert before["latest"]["values"]["cpu.pct"] == 39
