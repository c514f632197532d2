"""What is no HTTP at all: answered or dropped, and one line in the log, never a traceback."""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path

import pytest

from tests.process import ADMIN_SECRET, CollectorProcess, running_collector, wait_for

GARBAGE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
    b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"\xff\xfe\r\n\r\n",
)


@pytest.mark.parametrize("bytes_sent", GARBAGE)
def test_garbage_leaves_one_readable_line(data: Path, bytes_sent: bytes) -> None:
    with running_collector(data) as collector:
        with socket.create_connection(("127.0.0.1", collector.port), timeout=5) as sock:
            sock.sendall(bytes_sent)
            sock.settimeout(5)
            sock.recv(4096)
        with collector.client() as admin:
            assert admin.get("/healthz") == {"status": "ok"}
    every_line_is_json(collector)


def test_a_browser_that_left_before_its_stream_began_leaves_no_traceback(data: Path) -> None:
    request = (
        f"GET /api/fleet/events HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {ADMIN_SECRET}\r\n\r\n"
    )
    with running_collector(data) as collector:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", collector.port), timeout=5) as sock:
                # With a linger of zero, close sends a reset.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.sendall(request.encode())
        with collector.client() as admin:
            assert admin.get("/healthz") == {"status": "ok"}
    every_line_is_json(collector)


def test_the_collectors_own_machine_comes_back_after_it_was_forgotten(data: Path) -> None:
    with running_collector(data, "--local-agent") as collector, collector.client() as admin:
        node_id = admin.get("/api/whoami")["local_node_id"]
        wait_for(lambda: is_there(collector, node_id), "the local agent's first push")
        reply = admin.send("DELETE", f"/api/nodes/{node_id}")
        assert reply.status == 204
        wait_for(lambda: is_there(collector, node_id), "the local agent to come back")


def is_there(collector: CollectorProcess, node_id: str) -> bool:
    with collector.client() as admin:
        return any(node["id"] == node_id for node in admin.get("/api/fleet")["nodes"])


def every_line_is_json(collector: CollectorProcess) -> None:
    for line in collector.log_path.read_text().splitlines():
        assert "exception" not in json.loads(line), line
