"""Whether the process that started this one is still there."""

from __future__ import annotations

import os
from collections.abc import Callable

import psutil


def watch(pid: int | None) -> Callable[[], bool] | None:
    """Return a function that tells whether the process is still our parent."""
    if pid is None:
        return None
    if os.name == "posix":
        return lambda: os.getppid() == pid
    # Windows keeps a dead parent's id, and may give it to another process.
    try:
        parent = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return lambda: False
    return parent.is_running
