"""A job's processes held by a keeper: a process of ours that is their parent, with a leash."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from typing import IO, Any, Final

from forge_agent import itself
from forge_agent.work import orders
from forge_agent.work.orders import Order

# Of ours, what the keeper itself needs; the token is not among it.
_NEVER_PASSED: Final = frozenset({"BEARER_TOKEN", "ADMIN_SECRET"})
_ENDS_WITHIN_S: Final = 10.0


class PosixHold:
    def __init__(self, order: Order, document: bytes) -> None:
        reports, report_fd = os.pipe()
        self._reports = os.fdopen(reports, "rb")
        try:
            self._keeper = subprocess.Popen(
                [*itself.command(), "keep-job"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=-1,
                pass_fds=(report_fd,),
                env={name: os.environ[name] for name in os.environ if name not in _NEVER_PASSED},
                start_new_session=True,  # a terminal's Ctrl-C is the worker's
            )
        except BaseException:
            self._reports.close()
            raise
        finally:
            os.close(report_fd)
        assert self._keeper.stdin and self._keeper.stdout and self._keeper.stderr  # noqa: S101, PT018
        self.pid = self._keeper.pid
        self.stdout: IO[bytes] = self._keeper.stdout
        self.stderr: IO[bytes] = self._keeper.stderr
        self._leash = self._keeper.stdin
        self._kill_by_s: float | None = None
        self._pulls = threading.Lock()
        self._pull(orders.encode(order._replace(report_fd=report_fd)), document)

    def report(self) -> dict[str, Any] | None:
        line = self._reports.readline()
        if not line:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._keeper.wait(_ENDS_WITHIN_S)
            return None
        told: dict[str, Any] = json.loads(line)
        return told

    def term(self) -> None:
        self._pull(orders.TERM)

    def kill(self) -> None:
        """Asked again and again until it is so: a keeper that a job has stopped hears nothing."""
        now_s = time.monotonic()
        if self._kill_by_s is None:
            self._kill_by_s = now_s + _ENDS_WITHIN_S
        if now_s < self._kill_by_s:
            self._pull(orders.KILL)
        else:
            self._keeper.kill()

    def close(self) -> None:
        with self._pulls, contextlib.suppress(OSError):
            self._leash.close()
        try:
            self._keeper.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
        for pipe in (self.stdout, self.stderr, self._reports):
            pipe.close()

    def _pull(self, *words: bytes) -> None:
        # It may have ended.
        with self._pulls, contextlib.suppress(OSError, ValueError):
            for word in words:
                self._leash.write(word)
            self._leash.flush()
