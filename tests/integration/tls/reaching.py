"""A TLS connection to a collector, verified, and what was seen of it."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

from tests.process import PATIENCE_S, Reply


class TlsClient(http.client.HTTPSConnection):
    """Reaches 127.0.0.1 by another name, as a name server would have it."""

    def __init__(self, host: str, port: int, ca_file: Path) -> None:
        self._trusting = ssl.create_default_context(cafile=ca_file)
        super().__init__(host, port, timeout=PATIENCE_S, context=self._trusting)

    def connect(self) -> None:
        raw = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        self.sock = self._trusting.wrap_socket(raw, server_hostname=self.host)

    def send_request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Reply:
        self.request(method, path, body, dict(headers))
        answer = self.getresponse()
        return Reply(answer.status, dict(answer.headers), answer.read())


def served(host: str, port: int, ca_file: Path) -> bytes:
    """Return the certificate (DER) that a new connection is served with, once it is verified."""
    client = TlsClient(host, port, ca_file)
    try:
        client.connect()
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.version() in {"TLSv1.2", "TLSv1.3"}
        der = client.sock.getpeercert(binary_form=True)
        assert der is not None
        return der
    finally:
        client.close()
