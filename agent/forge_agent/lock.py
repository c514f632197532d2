"""One agent a state folder: a lock that the operating system lets go when its holder dies."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Final

# `status` and `doctor` hold the lock for an instant, to see whether they can.
_LOOK_AGAIN_S: Final = 0.1

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
            try:
                _try_lock(self._fd)
            except OSError:
                time.sleep(_LOOK_AGAIN_S)
                _try_lock(self._fd)
        except OSError:
            os.close(self._fd)
            raise LockedError(path) from None

    def release(self) -> None:
        os.close(self._fd)


def is_held(path: Path) -> bool:
    """Tell whether a process holds the lock; raises OSError when we may not look."""
    try:
        fd = os.open(path, os.O_RDWR)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        _try_lock(fd)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False
