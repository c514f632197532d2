"""TLS for the uplink. Imported only when the collector's URL is https: ssl holds 5 MB."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any


class BoundedTLSSocket(ssl.SSLSocket):
    """A TLS socket whose reads and writes all end by ``deadline_s`` of the monotonic clock."""

    deadline_s: float = 0.0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._bound()
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self._bound()
        return super().send(*args, **kwargs)

    def _bound(self) -> None:
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self.settimeout(left_s)


def wrap(raw: socket.socket, host: str, deadline_s: float) -> BoundedTLSSocket:
    """Shake hands over a connected socket, whose time-out bounds it; raises ssl.SSLError.

    Certificates are checked against the system's store; OpenSSL's SSL_CERT_FILE adds one's own.
    """
    context = ssl.create_default_context()
    context.sslsocket_class = BoundedTLSSocket
    wrapped = context.wrap_socket(raw, server_hostname=host)
    if not isinstance(wrapped, BoundedTLSSocket):
        raise TypeError(type(wrapped))
    wrapped.deadline_s = deadline_s
    return wrapped
