"""One agent a state folder: a lock that the operating system lets go when its holder dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _try_lock(fd: int) -> None:
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


class LockedError(RuntimeError):
    """Another process holds the lock."""


class FileLock:
    """Held from construction to ``release``; raises LockedError when another process holds it, or
    OSError when the file cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _try_lock(self._fd)
        except OSError:
            os.close(self._fd)
            raise LockedError(path) from None

    def release(self) -> None:
        os.close(self._fd)
