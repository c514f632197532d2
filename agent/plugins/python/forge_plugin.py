"""What a job's program in Python says to the agent, and hears from it. Standard library only.

import forge_plugin

def solve(job: forge_plugin.Job) -> object:
    job.progress(0.5, "half way")
    return {"answer": 42}

forge_plugin.main(solve)
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TextIO

__all__ = ["Job", "JobError", "Stopped", "main"]

# A line is no longer than 8 MiB; what is larger goes by a file. The collector takes 1 MiB inline.
_LARGEST_INLINE = 1024 * 1024


class JobError(Exception):
    """The job failed. ``code``: a word for programs; ``retryable``: whether to try it again."""

    def __init__(self, message: str, *, code: str = "failed", retryable: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable


class Stopped(Exception):  # noqa: N818  no error: the machine is wanted for something else
    """The job is to end within five seconds; raised by `Job.check`."""


class Job:
    """A job, and what to say about it. All methods may be called from any thread."""

    def __init__(self, told: dict[str, Any], output: TextIO) -> None:
        self.id: str = told["job_id"]
        self.type: str = told["type"]
        self.attempt: int = told["attempt"]
        self.work_dir = Path(told["work_dir"])
        self.time_limit_s: float | None = told.get("time_limit_s")
        self.stopping = threading.Event()  # set when the job is to end
        self._told = told
        self._output = output
        # A handler of signals, which may run in the middle of a line, says nothing itself.
        self._lock = threading.Lock()

    @property
    def payload(self) -> Any:
        """What was submitted."""
        return self._inline_or_file("payload")

    @property
    def checkpoint(self) -> Any:
        """What an earlier attempt has left by `save`; None when there is nothing."""
        return self._inline_or_file("checkpoint")

    def check(self) -> None:
        """Raise Stopped when the job is to end."""
        if self.stopping.is_set():
            raise Stopped

    def progress(self, fraction: float | None = None, message: str = "") -> None:
        """Say how far it is, from 0 to 1, and what is being done."""
        self._say("progress", fraction=fraction, message=message)

    def incumbent(
        self, objective: float, *, bound: float | None = None, gap: float | None = None
    ) -> None:
        """Tell of the best solution so far, and how good one could be at all."""
        self._say("incumbent", objective=objective, bound=bound, gap=gap)

    def save(self, data: Any) -> None:
        """Keep what the next attempt, perhaps on another machine, should go on from."""
        self._say_whole("checkpoint", "data", data)

    def _finish(self, result: Any) -> None:
        self._say_whole("result", "result", result)

    def _fail(self, message: str, code: str, *, retryable: bool) -> None:
        self._say("error", code=code, message=message[:1024], retryable=retryable)

    def _say_whole(self, kind: str, key: str, data: Any) -> None:
        content = json.dumps(data)
        if len(content) <= _LARGEST_INLINE - 1024:
            self._write(f'{{"type": "{kind}", "{key}": {content}}}')
            return
        # Written beside and renamed: who reads it has the old one or the new one.
        name = f"{kind}.json"
        new = self.work_dir / f"{name}.new"
        with self._lock:
            new.write_text(content, encoding="utf-8")
            new.replace(self.work_dir / name)
        self._say(kind, path=name)

    def _say(self, kind: str, **fields: Any) -> None:
        given = {name: value for name, value in fields.items() if value is not None}
        self._write(json.dumps({"type": kind, **given}))

    def _write(self, line: str) -> None:
        with self._lock:
            self._output.write(line + "\n")
            self._output.flush()

    def _inline_or_file(self, name: str) -> Any:
        path = self._told.get(f"{name}_path")
        if path is None:
            return self._told.get(name)
        return json.loads((self.work_dir / path).read_text(encoding="utf-8"))


def main(solve: Callable[[Job], Any]) -> NoReturn:
    """Do the job that stands on standard input, and end the program.

    What ``solve`` returns is the result. It may raise JobError, or Stopped after it has saved what
    is worth keeping. What it prints goes to the log.
    """
    output, sys.stdout = sys.stdout, sys.stderr  # a stray print must not be taken for a message
    job = Job(json.load(sys.stdin), output)
    for number in (signal.SIGTERM, getattr(signal, "SIGBREAK", signal.SIGTERM)):
        signal.signal(number, lambda *_: job.stopping.set())
    try:
        job._finish(solve(job))  # noqa: SLF001
    except Stopped:
        sys.exit(0)
    except JobError as error:
        job._fail(str(error), error.code, retryable=error.retryable)  # noqa: SLF001
        sys.exit(1)
    except Exception as error:  # noqa: BLE001  whatever it is, the agent is told
        traceback.print_exc()
        job._fail(f"{type(error).__name__}: {error}", "crashed", retryable=True)  # noqa: SLF001
        sys.exit(1)
    sys.exit(0)
