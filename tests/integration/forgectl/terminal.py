"""Programs on a terminal of their own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.process import ADMIN_SECRET, environment, wait_for


class Terminal:
    """A program on a terminal of its own, and all that it wrote there."""

    def __init__(
        self, command: Sequence[str], url: str, home: Path, *, columns: int = 100, lines: int = 12
    ) -> None:
        self._end, program_end = pty.openpty()
        fcntl.ioctl(program_end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            env=environment(FORGE_URL=url, HOME=str(home), TERM="xterm", FORGE_TOKEN=ADMIN_SECRET),
            stdin=program_end,
            stdout=program_end,
            stderr=program_end,
            start_new_session=True,
        )
        os.close(program_end)
        self.written = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._end, 65_536)
            except OSError:  # the program ended
                return
            if not part:
                return
            self.written += part

    def shows(self, pattern: str) -> bool:
        """Tell whether what was drawn last shows this."""
        frame = self.written.rpartition(b"\x1b[H")[2].decode(errors="replace")
        return re.search(pattern, re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", frame)) is not None

    def wait_for(self, pattern: str) -> None:
        wait_for(lambda: self.shows(pattern) or None, f"{pattern!r} on the terminal")

    def interrupt(self) -> int:
        """Press Ctrl-C, and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(20)
        self._reader.join(5)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)
        os.close(self._end)


@contextmanager
def terminal(
    url: str, home: Path, *arguments: str, columns: int = 100, lines: int = 12
) -> Iterator[Terminal]:
    """forgectl with these arguments, on a terminal of this size."""
    command = [sys.executable, "-m", "forgectl", *arguments]
    shown = Terminal(command, url, home, columns=columns, lines=lines)
    try:
        yield shown
    finally:
        shown.close()
