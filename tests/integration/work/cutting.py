"""A way to the collector on which answers get lost."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Final

_PART: Final = 65_536


class CuttingRelay:
    """Carries connections on to ``port``. ``lose``: cut those that post to a path which ends so, as
    often: each once the request has got through and its answer has come back."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._lost: dict[bytes, int] = {}
        self.cut = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lose(self, path: bytes, times: int) -> None:
        self._lost[path] = times

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        """Carry one request after another: nobody here sends the next before the answer."""
        loses = threading.Event()
        with near, socket.create_connection(("127.0.0.1", self._to)) as far:
            there = threading.Thread(target=self._send_on, args=(near, far, loses), daemon=True)
            there.start()
            with contextlib.suppress(OSError):
                while part := far.recv(_PART):
                    if loses.is_set():
                        self.cut += 1
                        break
                    near.sendall(part)
            for end in (near, far):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _send_on(self, near: socket.socket, far: socket.socket, loses: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while part := near.recv(_PART):
                for path, left in list(self._lost.items()):
                    if left and part.startswith(b"POST ") and path + b" " in part[:200]:
                        self._lost[path] = left - 1
                        loses.set()
                far.sendall(part)
