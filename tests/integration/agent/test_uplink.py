"""The uplink over real HTTP, in this process: what each answer does to the snapshots."""

from __future__ import annotations

import io
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forge_agent import transport
from forge_agent.log import Log
from forge_agent.spool import Spool
from forge_agent.transport import Connection
from forge_agent.uplink import Live, Uplink
from forge_shared import codec
from tests.integration.agent import fake_collector
from tests.integration.agent.fake_collector import Answer, FakeCollector, accept, at_most, status
from tests.process import wait_for

BOOT_ID = "00000000-0000-4000-8000-000000000000"


def line(seq: int) -> bytes:
    snapshot = {"seq": seq, "boot_id": BOOT_ID, "ts": 1_795_000_000_000 + seq, "values": {}}
    return json.dumps(snapshot).encode() + b"\n"


def store_and_lose(handler: Any, push: fake_collector.Push) -> None:
    """Store, and answer as a proxy does that did not see how it went."""
    for text in push.lines:
        snapshot = codec.decode_snapshot(text)
        handler.collector.stored[snapshot.boot_id, snapshot.seq] = snapshot
    handler.reply(502, b"")


class Line:
    """An uplink whose snapshots are offered by the test."""

    def __init__(self, collector: FakeCollector, folder: Path) -> None:
        self.collector = collector
        self.said = io.StringIO()
        log = Log(self.said, human=False)
        self.spool = Spool(folder, 64 * 1024 * 1024, log)
        self.told_s: list[int] = []
        self.boots_taken = 0
        self.connection = Connection(collector.url)
        self.uplink = Uplink(
            node_id="n1",
            token="secret-token",
            connection=self.connection,
            spool=self.spool,
            log=log,
            on_interval=self.told_s.append,
            on_boot_taken=self._boot_taken,
        )

    def _boot_taken(self) -> None:
        self.boots_taken += 1

    def offer(self, seq: int, facts: bytes = b'{"hostname":"h"}') -> None:
        self.uplink.offer(Live(line(seq), BOOT_ID, facts, {}, 5))

    def pushes(self, count: int) -> list[fake_collector.Push]:
        wait_for(lambda: len(self.collector.pushes) >= count, f"{count} pushes")
        return self.collector.pushes

    def has(self, *seqs: int) -> None:
        """Wait until the collector stored exactly these."""
        wait_for(lambda: self.collector.seqs() == list(seqs), f"snapshots {seqs}")

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(text) for text in self.said.getvalue().splitlines()]
        return [event for event in lines if event["event"] == name]

    def says(self, name: str) -> dict[str, Any]:
        wait_for(lambda: bool(self.events(name)), f"it to say {name}")
        return self.events(name)[-1]


@pytest.fixture
def uplinked(
    collector: FakeCollector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Line]:
    monkeypatch.setattr(random, "random", lambda: 0.1)  # do not wait long between attempts
    made = Line(collector, tmp_path / "spool")
    made.uplink.start()
    yield made
    made.uplink.stop()
    made.connection.close()
    made.spool.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (fake_collector.garbage, "the answer is not a collector's"),
        (status(500, "broken"), "500 broken"),
        (status(429, "slowly"), "429 slowly"),
        (status(408, ""), "408"),
        (status(404, ""), "404"),
        (status(307, "", Location="https://else.where/"), "https://else.where/"),
    ],
)
def test_answers_that_promise_nothing_keep_the_snapshots(
    uplinked: Line, answer: Answer, reason: str
) -> None:
    uplinked.collector.answer = answer
    for seq in range(3):
        uplinked.offer(seq)
    assert reason in uplinked.says("offline")["reason"]
    uplinked.collector.answer = accept
    uplinked.has(0, 1, 2)
    wait_for(lambda: uplinked.spool.waiting_bytes == 0, "the spool to be empty")
    assert uplinked.uplink.dropped == 0


def test_the_newest_goes_first_and_the_rest_in_batches(uplinked: Line) -> None:
    uplinked.collector.answer = status(500)
    uplinked.offer(0)
    uplinked.says("offline")
    for seq in range(1, 1200):
        uplinked.offer(seq)
    seen = len(uplinked.collector.pushes)
    uplinked.collector.answer = accept
    uplinked.has(*range(1200))
    pushes = [push for push in uplinked.collector.pushes[seen:] if push.snapshots]
    assert [len(push.lines) for push in pushes] == [1, 500, 500, 200]
    assert pushes[0].snapshots[0].seq == 1199
    assert uplinked.says("replayed")["snapshots"] == 1200


def test_live_pushes_go_between_the_batches(uplinked: Line) -> None:
    uplinked.collector.answer = status(500)
    uplinked.offer(0)
    uplinked.says("offline")
    for seq in range(1, 2000):
        uplinked.offer(seq)
    uplinked.collector.answer = accept
    wait_for(lambda: any(not push.is_live for push in uplinked.collector.pushes), "a batch")
    uplinked.offer(2000)
    uplinked.has(*range(2001))
    kinds = [push.is_live for push in uplinked.collector.pushes if push.snapshots]
    assert True in kinds[kinds.index(False) : len(kinds) - kinds[::-1].index(False)]


def test_what_was_sent_before_is_nobody_elses(uplinked: Line) -> None:
    """Answers get lost, and what was stored is sent again."""
    for seq in range(3):
        uplinked.collector.answer = store_and_lose
        uplinked.offer(seq)
        uplinked.has(*range(seq + 1))
        uplinked.collector.answer = accept
        wait_for(lambda: uplinked.uplink.standing.connection == "online", "it to be online")
        wait_for(lambda: uplinked.spool.waiting_bytes == 0, "the spool to be empty")
    assert uplinked.boots_taken == 0


def test_retry_after_is_waited_for(uplinked: Line) -> None:
    uplinked.collector.answer = status(503, "busy", Retry_After="1")
    uplinked.offer(0)
    uplinked.says("offline")
    uplinked.collector.answer = accept
    uplinked.offer(1)
    first, second = uplinked.pushes(2)[:2]
    assert second.received_s - first.received_s >= 1


def test_a_batch_that_is_too_large_is_halved(uplinked: Line) -> None:
    uplinked.collector.die()
    for seq in range(10):
        uplinked.offer(seq)
    uplinked.says("offline")
    uplinked.collector.answer = at_most(3)
    uplinked.collector.start()
    uplinked.has(*range(10))
    assert uplinked.uplink.dropped == 0


def test_a_single_snapshot_that_is_too_large_is_dropped_and_counted(uplinked: Line) -> None:
    uplinked.collector.answer = status(413, "too large")
    uplinked.offer(0)
    assert uplinked.says("snapshots_refused")["snapshots"] == 1
    assert uplinked.uplink.dropped == 1
    assert uplinked.events("offline") == []


def test_a_damaged_line_costs_only_itself(uplinked: Line, tmp_path: Path) -> None:
    damaged = b"\0\0 damaged \x1b[2J"
    (tmp_path / "spool" / "0000000001.ndjson").write_bytes(line(0) + damaged + b"\n\n" + line(1))
    reopened = Line(uplinked.collector, tmp_path / "spool")
    reopened.uplink.start()
    reopened.offer(2)
    reopened.has(0, 1, 2)
    assert "malformed_json" in reopened.says("snapshots_refused")["reason"]
    assert reopened.uplink.dropped == 1
    assert uplinked.collector.refused == [damaged]
    wait_for(lambda: reopened.spool.waiting_bytes == 0, "the spool to be empty")
    reopened.uplink.stop()
    reopened.connection.close()


def test_a_body_refused_for_good_is_not_sent_again(uplinked: Line) -> None:
    uplinked.collector.answer = status(422, "seq: no")
    uplinked.offer(0)
    assert uplinked.says("snapshots_refused")["reason"] == "422 seq: no"
    uplinked.collector.answer = accept
    uplinked.offer(1)
    uplinked.has(1)
    assert uplinked.spool.waiting_bytes == 0


def test_a_connection_closed_meanwhile_is_no_failure(uplinked: Line) -> None:
    uplinked.offer(0)
    uplinked.has(0)
    uplinked.collector.close_idle()
    uplinked.offer(1)
    uplinked.has(0, 1)
    assert uplinked.events("offline") == []


def test_facts_are_sent_until_acknowledged_and_when_they_change(uplinked: Line) -> None:
    uplinked.collector.answer = status(500)
    uplinked.offer(0)
    uplinked.says("offline")
    uplinked.collector.answer = accept
    uplinked.says("recovered")
    for seq, facts in [(1, b'{"hostname":"h"}'), (2, b'{"hostname":"new"}')]:
        uplinked.offer(seq, facts)
        uplinked.has(*range(seq + 1))
    pushes = [push for push in uplinked.collector.pushes if push.is_live and push.snapshots]
    live = [push.snapshots[0] for push in pushes]
    assert [push.host.hostname if push.host else None for push in live] == ["h", None, "new"]


@pytest.mark.parametrize("answer", [fake_collector.hang, fake_collector.trickle])
def test_a_request_ends_in_time_whatever_the_peer_does(
    uplinked: Line, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "REQUEST_TIMEOUT_S", 0.5)
    uplinked.collector.answer = answer
    started_s = time.monotonic()
    uplinked.offer(0)
    assert uplinked.says("offline")["reason"] == "it does not answer in time"
    assert 0.4 < time.monotonic() - started_s < 5


def test_a_fault_of_our_own_does_not_end_the_uplink(
    uplinked: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("quoting secret-token")

    with monkeypatch.context() as patched:
        patched.setattr(uplinked.connection, "post", broken)
        uplinked.offer(0)
        assert uplinked.says("offline")["reason"] == "a fault in the agent (RuntimeError)"
    uplinked.has(0)
    assert "secret-token" not in uplinked.said.getvalue()


def test_the_interval_is_passed_on(uplinked: Line) -> None:
    uplinked.collector.interval_s = 42
    uplinked.offer(0)
    wait_for(lambda: uplinked.told_s == [42], "the interval")
