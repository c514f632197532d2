"""How the agent stands with its collector, noted in the state folder for `status` and the launcher.

The process of `run` writes it, so this imports next to nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import Final, Literal, NamedTuple

FILE_NAME: Final = "status.json"
NOTED_EVERY_S: Final = 30.0
# How a reason begins that is neither the collector's nor the network's.
FAULT: Final = "a fault in the agent"

Connection = Literal["starting", "online", "offline", "refused"]


class Standing(NamedTuple):
    """``reason``: why not online, perhaps in the other side's words. ``since`` and ``last_push_at``
    in Unix ms; the latter None before the first push that was acknowledged."""

    connection: Connection
    reason: str
    since: int
    last_push_at: int | None = None

    def now(self, connection: Connection, reason: str, at: int) -> Standing:
        since = self.since if connection == self.connection else at
        return Standing(connection, reason, since, self.last_push_at)


class StatusFile:
    """Writes STATE/status.json; usable from several threads. What cannot be written is left out:
    the file is for looking at, and no reason to stop."""

    def __init__(self, state_dir: Path) -> None:
        self._path = str(state_dir / FILE_NAME)
        self._draft = str(state_dir / f".{FILE_NAME}")
        self._lock = threading.Lock()

    def write(self, status: dict[str, object]) -> None:
        content = json.dumps(status).encode()
        # Not fsynced: after a power cut the agent writes another.
        with self._lock, contextlib.suppress(OSError):
            fd = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                whole = os.write(fd, content) == len(content)
            finally:
                os.close(fd)
            if whole:
                os.replace(self._draft, self._path)  # noqa: PTH105 no Path is made each time
