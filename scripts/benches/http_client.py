"""One keep-alive connection to a server under measurement, either of the two."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import click

_TIMEOUT_S: Final = 300.0
# VictoriaMetrics closes a connection on which nothing came for 5 s.
_IDLE_S: Final = 3.0


class Client:
    def __init__(self, url: str, token: str | None = None, ca_file: Path | None = None) -> None:
        self._connection = _connection(url, ca_file)
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._used_at = 0.0
        self._connect()

    def get(self, path: str) -> bytes:
        return self._asked("GET", path, None, {})

    def post(self, path: str, body: bytes, content_type: str) -> bytes:
        return self._asked("POST", path, body, {"Content-Type": content_type})

    def _asked(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> bytes:
        if time.monotonic() - self._used_at > _IDLE_S:
            self._connect()
        self._connection.request(method, path, body, {**self._headers, **headers})
        reply = self._connection.getresponse()
        content = reply.read()
        self._used_at = time.monotonic()
        if reply.status >= HTTPStatus.BAD_REQUEST:
            what = f"{method} {path.partition('?')[0]}"
            raise click.ClickException(f"{what} was answered {reply.status}: {content[:300]!r}")
        return content

    def _connect(self) -> None:
        self._connection.close()
        self._connection.connect()
        # http.client sends head and body in two pieces: the second must not wait for an answer.
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._used_at = time.monotonic()

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _connection(url: str, ca_file: Path | None) -> http.client.HTTPConnection:
    where = urlsplit(url)
    if where.scheme != "https":
        return http.client.HTTPConnection(where.netloc, timeout=_TIMEOUT_S)
    trusted = ssl.create_default_context(cafile=ca_file)
    return http.client.HTTPSConnection(where.netloc, timeout=_TIMEOUT_S, context=trusted)
