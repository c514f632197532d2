"""A plain and fast HTTP client for many connections in one thread, each with one request at a time.

So little happens here that the server is measured, not its client: requests are put together by
hand, and of a reply its status and Content-Length are read.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import urlsplit

_TIMEOUT_S: Final = 60.0
_READ_BYTES: Final = 256 * 1024
_END_OF_HEAD: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "


class RefusedError(RuntimeError):
    """A request was answered with a problem."""


class Request(NamedTuple):
    path: str
    body: bytes
    media_type: str = "application/json"


class Connection:
    """One keep-alive connection."""

    def __init__(self, url: str, token: str) -> None:
        where = urlsplit(url)
        self._socket = socket.create_connection((where.hostname, where.port), _TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = (
            f" HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {token}\r\nContent-Type: "
        )
        self._received = b""

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, request: Request) -> None:
        head = (
            f"POST {request.path}{self._head}{request.media_type}\r\n"
            f"Content-Length: {len(request.body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + request.body)

    def receive(self) -> bytes | None:
        """Read what has come; return the body once it is whole. Raises RefusedError."""
        news = self._socket.recv(_READ_BYTES)
        if not news:
            raise RefusedError("the collector closed the connection")
        self._received += news
        end = self._received.find(_END_OF_HEAD)
        if end < 0:
            return None
        head, body = self._received[:end], self._received[end + len(_END_OF_HEAD) :]
        if len(body) < _content_length(head):
            return None
        self._received = b""
        status = int(head[9:12])
        if status >= HTTPStatus.BAD_REQUEST:
            raise RefusedError(f"{status}: {body[:300]!r}")
        return body

    def ask(self, request: Request) -> bytes:
        self.send(request)
        while (body := self.receive()) is None:
            pass
        return body

    def close(self) -> None:
        self._socket.close()


@contextmanager
def connected(url: str, token: str, count: int) -> Iterator[list[Connection]]:
    """Open so many connections, until the block is left."""
    connections = [Connection(url, token) for _ in range(count)]
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


def drive(
    connections: Iterable[Connection], follow: Callable[[int, bytes], Request | None]
) -> None:
    """Have each connection ask what ``follow`` says, given the connection's number and the last
    reply (empty at first), until it says None to all."""
    with selectors.DefaultSelector() as selector:
        busy = 0
        for number, connection in enumerate(connections):
            if (first := follow(number, b"")) is not None:
                selector.register(connection.fileno(), selectors.EVENT_READ, (number, connection))
                connection.send(first)
                busy += 1
        while busy:
            for key, _ in selector.select(_TIMEOUT_S):
                number, connection = key.data
                if (body := connection.receive()) is None:
                    continue
                if (following := follow(number, body)) is None:
                    busy -= 1
                else:
                    connection.send(following)


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.find(_LENGTH)
    if start < 0:
        return 0  # 204
    return int(lowered[start + len(_LENGTH) :].partition(b"\r")[0])
