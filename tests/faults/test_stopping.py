"""SIGTERM ends the collector quickly and in order, whoever is connected."""

from __future__ import annotations

import http.client
import time
from contextlib import ExitStack, closing

from tests.faults.conftest import Start
from tests.faults.pushes import new_boot, snapshot
from tests.process import PATIENCE_S, CollectorProcess

STREAMS = 20


class Stream:
    """An open event stream, read as a browser would."""

    def __init__(self, collector: CollectorProcess, token: str) -> None:
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", collector.port, timeout=PATIENCE_S
        )
        self._connection.request(
            "GET", "/api/fleet/events", headers={"Authorization": f"Bearer {token}"}
        )
        self._reply = self._connection.getresponse()
        assert self._reply.status == 200

    def read_event(self) -> bytes:
        lines = []
        while (line := self._reply.readline()) not in {b"\n", b""}:
            lines.append(line)
        return b"".join(lines)

    def read_to_the_end(self) -> bytes:
        """Return what is left; raises IncompleteRead when the stream was cut instead of ended."""
        return self._reply.read()

    def close(self) -> None:
        self._connection.close()


def test_sigterm_ends_twenty_open_streams_and_the_process_within_two_seconds(start: Start) -> None:
    collector = start()
    viewer = collector.mint(role="viewer", name="a page")
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(Stream(collector, viewer))) for _ in range(STREAMS)]
        for stream in streams:
            assert stream.read_event().startswith(b"retry:")
            assert b"event: fleet" in stream.read_event()

        started = time.monotonic()
        code = collector.stop()
        elapsed_s = time.monotonic() - started

        for stream in streams:
            stream.read_to_the_end()
    assert code == 0, collector.log_path.read_text()
    assert elapsed_s < 2
    assert [line["event"] for line in collector.log() if line["level"] != "info"] == []


def test_sigterm_with_an_idle_keep_alive_connection_and_half_a_request(start: Start) -> None:
    collector = start()
    token = collector.mint(node_id="n1")
    with collector.client(token) as idle, collector.client(token) as unfinished:
        assert idle.push("n1", snapshot(new_boot(), 0)).status == 200
        unfinished.begin("POST", "/api/ingest/n1", length=1000, part=b'{"seq": 0, ')

        started = time.monotonic()
        assert collector.stop() == 0, collector.log_path.read_text()
        assert time.monotonic() - started < 2


def test_a_stop_while_it_is_pushed_to_keeps_what_it_acknowledged(start: Start) -> None:
    collector = start()
    boot_id = new_boot()
    with collector.client(collector.mint(node_id="n1")) as client:
        for seq in range(20):
            assert client.push("n1", snapshot(boot_id, seq)).status == 200
        assert collector.stop() == 0

    again = start()
    with again.client() as admin:
        assert len(admin.get("/api/nodes/n1/snapshot")["points"]) == 20
