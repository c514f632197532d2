"""The agent as the child of a service's own program, ended with all that it has started."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil

# An agent whose parent is gone stops by itself within a second or two, and keeps what it has.
_GRACE_S: Final = 5.0
_LOG_BYTES: Final = 4 * 1024 * 1024


class Child:
    """``command``: what to start. ``log_file``: where its output goes, begun anew when it has
    grown. ``wait`` may come from another thread than ``stop``."""

    def __init__(self, command: Sequence[str], log_file: Path) -> None:
        self._command = command
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        grown = self._log_file.exists() and self._log_file.stat().st_size > _LOG_BYTES
        with self._log_file.open("wb" if grown else "ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )

    def wait(self) -> int | None:
        """Return the exit code once the child has ended by itself; None when it was stopped."""
        if self._process is None:
            return None
        code = self._process.wait()
        return None if self._stopping.is_set() else code

    def stop(self) -> None:
        """End it and what it has started, by force after some seconds."""
        self._stopping.set()
        if self._process is None:
            return
        try:
            family = psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            family = []
        self._process.terminate()
        _, left = psutil.wait_procs(family, timeout=_GRACE_S)
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=_GRACE_S)
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
