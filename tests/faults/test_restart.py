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
    """Make the stopped collector have been down for that long: its listening clock stood still."""
    with closing(sqlite3.connect(data / "fleet.db", isolation_level=None)) as raw:
        raw.execute(
            "UPDATE nodes SET first_seen = first_seen - ?, last_seen = last_seen - ?", (ms, ms)
        )


def silence(data: Path, node_id: str, ms: int) -> None:
    """Make the stopped collector have listened that much longer, and heard all but this node."""
    with closing(sqlite3.connect(data / "fleet.db", isolation_level=None)) as raw:
        raw.execute("UPDATE collector SET value = value + ? WHERE key = 'listened_ms'", (ms,))
        raw.execute("UPDATE nodes SET heard_ms = heard_ms + ? WHERE id <> ?", (ms, node_id))
        raw.execute("UPDATE nodes SET last_seen = last_seen - ? WHERE id = ?", (ms, node_id))


def listened_ms(data: Path) -> int:
    with closing(sqlite3.connect(data / "fleet.db")) as raw:
        return int(
            raw.execute("SELECT value FROM collector WHERE key = 'listened_ms'").fetchone()[0]
        )


def heard_ms(data: Path) -> dict[str, int]:
    with closing(sqlite3.connect(data / "fleet.db")) as raw:
        return dict(raw.execute("SELECT id, heard_ms FROM nodes").fetchall())


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
def test_after_a_long_downtime_silence_goes_on_where_it_was(
    data: Path, start: Start, end: End
) -> None:
    """A node that was quiet just before the stop gets no new 15 s, and loses none."""
    collector = start()
    for node_id in ("quiet", "here"):
        with collector.client(collector.mint(node_id=node_id)) as client:
            assert client.push(node_id, snapshot(new_boot(), 0)).status == 200
    end(collector)
    silence(data, "quiet", 60_001)
    let_time_pass(data, 6 * HOUR_MS)

    again = start()

    assert (status(again, "quiet"), status(again, "here")) == ("offline", "online")
    let_statuses_age()
    assert (status(again, "quiet"), status(again, "here")) == ("offline", "online")
    assert again.events("node.status_changed") == []


def test_what_was_listened_adds_up_over_restarts(data: Path, start: Start) -> None:
    """Each run counts for as long as it listened, the time between them not at all."""
    collector = start()
    with collector.client(collector.mint(node_id="n1")) as client:
        assert client.push("n1", snapshot(new_boot(), 0)).status == 200
    stop(collector)
    heard, listened = heard_ms(data), listened_ms(data)
    assert 0 <= heard["n1"] <= listened

    for _ in range(3):
        let_time_pass(data, HOUR_MS)
        started = time.monotonic()
        collector = start()
        listening = time.monotonic()
        let_statuses_age()
        at_least_ms = (time.monotonic() - listening) * 1000
        stop(collector)
        at_most_ms = (time.monotonic() - started) * 1000
        before, listened = listened, listened_ms(data)
        assert at_least_ms - 2 <= listened - before <= at_most_ms + 2

    assert heard_ms(data) == heard
    silence(data, "n1", 60_001 - (listened - heard["n1"]))
    collector = start()
    assert status(collector, "n1") == "offline"


def test_kill_9_takes_back_nothing_that_was_listened_before_the_last_push(
    data: Path, start: Start
) -> None:
    """The listening clock is noted every few seconds; a push that got a 2xx tells it too."""
    collector = start()
    with collector.client(collector.mint(node_id="early")) as client:
        assert client.push("early", snapshot(new_boot(), 0)).status == 200
    with collector.client(collector.mint(node_id="late")) as client:
        let_statuses_age()
        assert client.push("late", snapshot(new_boot(), 0)).status == 200
    collector.kill()
    heard = heard_ms(data)
    assert heard["late"] - heard["early"] >= 1_300

    stop(start())
    assert listened_ms(data) >= heard["late"]
    assert heard_ms(data) == heard


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
