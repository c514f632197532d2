"""A server that is not the collector: it answers as it is told and keeps every byte it got."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.process import PATIENCE_S

_LONGEST = 65536

# What it answers to the first line of a request.
Answer = Callable[[str], bytes]


class Recorder:
    """Listens on an address until the block is left. ``raw``: what came over the wire;
    ``deciphered``: what came within TLS. ``identity``: a PEM file with a key; without one it
    speaks no TLS."""

    def __init__(
        self, answer: Answer, identity: Path | None = None, address: str = "127.0.0.1"
    ) -> None:
        self._answer = answer
        self._tls: ssl.SSLContext | None = None
        if identity is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(identity)
        self.raw = b""
        self.deciphered = b""
        self.connections = 0
        self._listener = socket.create_server((address, 0))
        self._stopping = False
        self._thread = threading.Thread(target=self._serve)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def requests(self) -> list[str]:
        """Return the first line of each request that could be read."""
        return [
            line.decode() for line in self.deciphered.split(b"\r\n") if line.endswith(b" HTTP/1.1")
        ]

    def got(self, secret: str) -> bool:
        return secret.encode() in self.raw or secret.encode() in self.deciphered

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        with contextlib.suppress(OSError):
            socket.create_connection(self._listener.getsockname()).close()
        self._thread.join(PATIENCE_S)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._stopping:
                client.close()
                return
            self.connections += 1
            client.settimeout(PATIENCE_S)
            # Whoever finds out hangs up in the middle.
            with client, contextlib.suppress(OSError):
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        if self._tls is None:
            while request := self._received(client):
                self.deciphered += request
                client.sendall(self._answer(_first_line(request)))
            return
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._tls.wrap_bio(incoming, outgoing, server_side=True)
        is_agreed = False
        while received := self._received(client):
            incoming.write(received)
            with contextlib.suppress(ssl.SSLWantReadError):
                if not is_agreed:
                    tls.do_handshake()
                    is_agreed = True
                while request := tls.read(_LONGEST):
                    self.deciphered += request
                    tls.write(self._answer(_first_line(request)))
            client.sendall(outgoing.read())

    def _received(self, client: socket.socket) -> bytes:
        received = client.recv(_LONGEST)
        self.raw += received
        return received


def _first_line(request: bytes) -> str:
    return request.partition(b"\r\n")[0].decode(errors="replace")


def reply(status: str, body: bytes, headers: str = "") -> bytes:
    """Return a whole answer; ``headers``: lines that end with CRLF."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def as_collector(ca_pem: bytes) -> Answer:
    """Answer as a collector does that lets everybody in."""

    def answer(request: str) -> bytes:
        if request.startswith("GET /ca.pem"):
            return reply("200 OK", ca_pem)
        return reply("200 OK", b'{"node_id": "caught", "status": "ok"}')

    return answer
