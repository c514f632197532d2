"""A machine's way to the collector, which can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Final

_PART: Final = 65_536


class Line:
    """Carries connections on to ``port``, each way in a thread.

    ``cut``: all are broken, and none is made; ``hang``: nothing moves, and nobody is told;
    ``lose``: so many answers are lost, and the connections they would have come by. ``mend`` ends
    all that.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._changed = threading.Condition()
        self._is_cut = False
        self._hangs = False
        self._to_lose = 0
        self._open: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        with self._changed:
            self._is_cut = True
            for end in self._open:
                _shut(end)

    def hang(self) -> None:
        with self._changed:
            self._hangs = True

    def lose(self, answers: int) -> None:
        with self._changed:
            self._to_lose = answers

    def mend(self) -> None:
        with self._changed:
            self._is_cut = self._hangs = False
            self._to_lose = 0
            self._changed.notify_all()

    def close(self) -> None:
        self.mend()
        self.cut()
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            if self._is_cut:
                return
            with socket.create_connection(("127.0.0.1", self._to)) as far:
                with self._changed:
                    self._open |= {near, far}
                there = threading.Thread(target=self._pass, args=(near, far), daemon=True)
                there.start()
                self._pass(far, near, answers=True)
                there.join()
                with self._changed:
                    self._open -= {near, far}

    def _pass(self, source: socket.socket, target: socket.socket, *, answers: bool = False) -> None:
        with contextlib.suppress(OSError):
            while (part := source.recv(_PART)) and not (answers and self._loses()):
                with self._changed:
                    self._changed.wait_for(lambda: not self._hangs)
                target.sendall(part)
        _shut(source)
        _shut(target)

    def _loses(self) -> bool:
        with self._changed:
            self._to_lose, loses = max(0, self._to_lose - 1), self._to_lose > 0
            return loses


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
