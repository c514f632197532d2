"""Runs prodplan as the agent would: a document on stdin, JSON lines on stdout, signals."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "agent" / "plugins" / "prodplan"
PLANS: Final = ROOT / "tests" / "data" / "plans"
_PATIENCE_S: Final = 30.0


class Prodplan:
    """A running attempt."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[dict[str, Any]] = []
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def give(self, document: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        json.dump(document, self.process.stdin)
        self.process.stdin.close()

    def until(self, kind: str) -> dict[str, Any]:
        """Return the next line of a kind; fail when the program ends without."""
        while True:
            line = self._lines.get(timeout=_PATIENCE_S)
            assert line is not None, f"it ended without {kind}: {self.said}"
            if line["type"] == kind:
                return line

    def end(self) -> float:
        """Wait until it has ended; return how long that took, in seconds."""
        began = time.monotonic()
        while self._lines.get(timeout=_PATIENCE_S) is not None:
            pass
        self.process.wait(_PATIENCE_S)
        return time.monotonic() - began

    def _read(self) -> None:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            line = json.loads(text)
            self.said.append(line)
            self._lines.put(line)
        self._lines.put(None)


@contextmanager
def started() -> Iterator[Prodplan]:
    command = [sys.executable, str(FOLDER / "prodplan.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        attempt = Prodplan(process)
        try:
            yield attempt
        finally:
            process.kill()
            attempt.reader.join()


def run(payload: object, **others: object) -> tuple[dict[str, Any], int]:
    """Return the last line of an attempt, and its exit code."""
    with started() as attempt:
        attempt.give(document(payload, **others))
        attempt.end()
        return attempt.said[-1], attempt.process.returncode


def document(payload: object, **others: object) -> dict[str, Any]:
    return {"job_id": "j", "type": "prodplan", "attempt": 1, "payload": payload, **others}


def verify(payload: object, result: object) -> subprocess.CompletedProcess[str]:
    """Run the checker."""
    return subprocess.run(
        [sys.executable, FOLDER / "verify.py"],
        input=json.dumps({"payload": payload, "result": result}),
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE_S,
    )


def text_of(name: str) -> str:
    return (PLANS / name).read_text()
