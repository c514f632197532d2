"""A small real HTTP server that takes snapshots as a collector does, and can be made to misbehave.

Every line it is sent goes through the real decoder, so a snapshot that a collector would refuse
shows in ``refused``.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from forge_shared import codec
from forge_shared.messages import Snapshot

Answer = Callable[["_Handler", "Push"], None]


class Push(NamedTuple):
    """One request as it came."""

    path: str
    headers: dict[str, str]
    lines: list[bytes]
    snapshots: list[Snapshot]
    received_s: float

    @property
    def is_live(self) -> bool:
        return self.headers["content-type"] == "application/json"


class FakeCollector:
    """Listens on loopback. ``answer`` says how requests are answered; ``interval_s`` is told to
    agents; a request is recorded in ``pushes`` before it is answered."""

    def __init__(self, certificate: Path | None = None) -> None:
        """``certificate``: a PEM file with a key; then it speaks https."""
        self._certificate = certificate
        self.answer: Answer = accept
        self.interval_s = 1
        self.pushes: list[Push] = []
        self.refused: list[bytes] = []
        self.stored: dict[tuple[str, int], Snapshot] = {}
        self.faults: list[BaseException] = []
        self.stop_hanging = threading.Event()
        self._open_sockets: set[socket.socket] = set()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        scheme = "http" if self._certificate is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, on the same port as before."""

        class Handler(_Handler):
            collector = self

        self._server = _Server(("127.0.0.1", self.port), Handler)
        self._server.faults = self.faults
        if self._certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(self._certificate)
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def die(self) -> None:
        """Stop listening and cut every connection."""
        self.stop_hanging.set()
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.close_idle()
        self._server = None
        self.stop_hanging.clear()

    def close_idle(self) -> None:
        """Cut the connections, and go on listening."""
        for connection in list(self._open_sockets):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def seqs(self) -> list[int]:
        return sorted(seq for _, seq in self.stored)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    faults: list[BaseException]

    def handle_error(self, *_: object) -> None:
        """Remember our own mistakes; a peer that was killed is what these tests are about."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.faults.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    collector: FakeCollector

    def setup(self) -> None:
        super().setup()
        self.collector._open_sockets.add(self.connection)

    def finish(self) -> None:
        self.collector._open_sockets.discard(self.connection)
        super().finish()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        lines = [line for _, line in codec.lines(body)]
        push = Push(self.path, headers, lines, [], time.monotonic())
        self.collector.pushes.append(push)
        self.collector.answer(self, push)

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


# --- ways to answer -----------------------------------------------------------------------------


def accept(handler: _Handler, push: Push) -> None:
    """Store what is valid and answer as a collector does."""
    collector = handler.collector
    accepted = duplicates = 0
    rejected = []
    for number, line in enumerate(push.lines, 1):
        try:
            snapshot = codec.decode_snapshot(line)
        except (codec.MalformedError, codec.InvalidError) as error:
            collector.refused.append(line)
            rejected.append({"line": number, "code": error.code, "detail": str(error)})
            continue
        push.snapshots.append(snapshot)
        identity = (snapshot.boot_id, snapshot.seq)
        duplicates += identity in collector.stored
        accepted += identity not in collector.stored
        collector.stored.setdefault(identity, snapshot)
    reply = {
        "accepted": accepted,
        "duplicates": duplicates,
        "rejected": rejected,
        "interval_s": collector.interval_s,
    }
    handler.reply(200, json.dumps(reply).encode())


def status(code: int, detail: str = "no", **headers: str) -> Answer:
    """Answer everything with a problem document."""
    problem = json.dumps({"status": code, "code": "test", "detail": detail}).encode()
    return lambda handler, _push: handler.reply(code, problem, **headers)


def garbage(handler: _Handler, _push: Push) -> None:
    handler.reply(200, b"<html>Welcome to the hotel's network</html>")


def hang(handler: _Handler, _push: Push) -> None:
    """Take the request and never answer."""
    handler.collector.stop_hanging.wait(60)
    handler.close_connection = True


def trickle(handler: _Handler, _push: Push) -> None:
    """Answer one byte at a time, for ever."""
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not handler.collector.stop_hanging.wait(0.05):
            handler.wfile.write(b"x")
    handler.close_connection = True


def at_most(lines: int) -> Answer:
    """Answer 413 to bodies of more lines, as a proxy with a small limit does."""

    def answer(handler: _Handler, push: Push) -> None:
        if len(push.lines) > lines:
            handler.reply(413, b"<html>413 Request Entity Too Large</html>")
        else:
            accept(handler, push)

    return answer
