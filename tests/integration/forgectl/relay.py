"""A line to a collector that can be cut: TCP passed on, connection by connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

_CHUNK: Final = 65_536
_LONGEST_S: Final = 20.0


class Cut(NamedTuple):
    """After how many bytes each way a connection breaks, when there is more; None: never."""

    up: int | None = None
    down: int | None = None


class Relay:
    """Listens on loopback. ``cuts``: what becomes of the connections to come, in their order, and
    of those after them nothing. ``passed``: how many bytes each brought up."""

    def __init__(self, port: int) -> None:
        self.cuts: list[Cut] = []
        self.passed: list[int] = []
        self._to = port
        self._open: tuple[socket.socket, ...] = ()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def break_off(self) -> None:
        """Break the connection that is open."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.break_off()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(_LONGEST_S)

    def _serve(self) -> None:
        # One after another: that is how forgectl calls.
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            cut = self.cuts.pop(0) if self.cuts else Cut()
            self.passed.append(0)
            with client, socket.create_connection(("127.0.0.1", self._to)) as server:
                self._open = (client, server)
                self._pass_on(client, server, cut)

    def _pass_on(self, client: socket.socket, server: socket.socket, cut: Cut) -> None:
        client.settimeout(_LONGEST_S)
        server.settimeout(_LONGEST_S)
        up = threading.Thread(target=self._up, args=(client, server, cut.up))
        up.start()
        with suppress(OSError):
            for _ in _copied(server, client, cut.down):
                pass
        self.break_off()
        up.join(_LONGEST_S)

    def _up(self, client: socket.socket, server: socket.socket, most: int | None) -> None:
        with suppress(OSError):
            for count in _copied(client, server, most):
                self.passed[-1] += count
        if most is not None:
            self.break_off()


def _copied(source: socket.socket, target: socket.socket, most: int | None) -> Iterator[int]:
    """Pass bytes on until there are no more, or one too many; yield how many, before they go."""
    passed = 0
    while chunk := source.recv(_CHUNK):
        part = chunk if most is None else chunk[: most - passed]
        yield len(part)
        target.sendall(part)
        passed += len(part)
        if len(part) < len(chunk):
            break


@contextmanager
def relay_to(port: int) -> Iterator[Relay]:
    relay = Relay(port)
    try:
        yield relay
    finally:
        relay.close()
