"""The worker's process, as `run` starts and watches it: without a thread, and with next to nothing
in memory while work is off."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from typing import Final, Protocol

from forge_agent.config import (
    BEARER_TOKEN,
    CA_FILE,
    CENTRAL_URL,
    NODE_ID,
    PLUGINS,
    STATE_DIR,
    WORK,
    Settings,
)
from forge_agent.log import Log
from forge_shared import backoff

_FILE_NAME: Final = "work.json"  # as forge_agent.work.owner, which brings more than run needs
# The worker gives its jobs 5 seconds to end by themselves, and tells the collector of them.
DRAIN_S: Final = 12.0
_STEADY_S: Final = 60.0
_KILLED_S: Final = 2.0  # until one that was ended by force is gone
_STEP_S: Final = 0.05

_Stamp = tuple[int, int, int]


class Process(Protocol):
    """A child process."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit code, None while it runs; a signal's number is negative."""
        ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


class Supervision:
    """``poll`` at each turn: starts the worker while the owner has work on, again with growing
    pauses when it ends, and has it stop when work is off."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self._settings = settings
        self._log = log
        self._path = str(settings.state_dir / _FILE_NAME)
        self._stamp: _Stamp | None = None
        self._wanted = settings.work
        self._worker: Process | None = None
        self._started_s = 0.0
        self._not_before_s = 0.0
        self._failures = 0
        self._told_to_stop_s: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether there is a worker, or is to be one."""
        return self._wanted or self._worker is not None

    def poll(self, now_s: float) -> None:
        self._look_at_the_file()
        if self._worker is not None:
            self._watch(self._worker, now_s)
        elif self._wanted and now_s >= self._not_before_s:
            self._start(now_s)

    def tell_to_stop(self) -> None:
        """Have the worker drain; it goes on meanwhile."""
        self._wanted = False
        if os.name != "posix":
            self._worker = None  # it drains once it sees that we are gone
        if self._worker is not None and self._told_to_stop_s is None:
            self._told_to_stop_s = time.monotonic()
            self._worker.terminate()

    def stop(self) -> None:
        """Wait until the worker has drained, and end it by force if that takes too long."""
        self.tell_to_stop()
        until_s = time.monotonic() + DRAIN_S + _KILLED_S
        while (worker := self._worker) is not None and time.monotonic() < until_s:
            self._watch(worker, time.monotonic())
            if self._worker is not None:
                time.sleep(_STEP_S)

    def _look_at_the_file(self) -> None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 each second
        except OSError:
            stamp = None
        else:
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        self._wanted = self._is_wanted()
        self._failures, self._not_before_s = 0, 0.0

    def _is_wanted(self) -> bool:
        """Tell whether work is on, by the owner's last word. What it is to be done under is for the
        worker to read."""
        with contextlib.suppress(OSError, ValueError, RecursionError, AttributeError):
            with open(self._path, "rb") as file:  # noqa: PTH123 no Path is made
                enabled = json.loads(file.read()).get("enabled")
            return self._settings.work if enabled is None else enabled is True
        # One that is damaged allows nothing; without one the setting decides.
        return self._settings.work and self._stamp is None

    def _start(self, now_s: float) -> None:
        self._started_s, self._told_to_stop_s = now_s, None
        try:
            self._worker = _started(_command(), _environment(self._settings))
        except OSError as error:
            self._again(now_s, f"it cannot be started ({error.strerror})")
        else:
            self._log.event("worker_started", pid=self._worker.pid)

    def _watch(self, worker: Process, now_s: float) -> None:
        code = worker.poll()
        if code is not None:
            self._worker = None
            if self._told_to_stop_s is None and self._wanted:
                self._again(now_s, f"it ended with {code}")
            else:
                self._log.event("worker_stopped")
        elif not self._wanted and self._told_to_stop_s is None:
            self._told_to_stop_s = now_s
            if os.name == "posix":  # elsewhere this is no question; it reads the file itself
                worker.terminate()
        elif self._told_to_stop_s is not None and now_s - self._told_to_stop_s > DRAIN_S:
            worker.kill()

    def _again(self, now_s: float, reason: str) -> None:
        steady = now_s - self._started_s >= _STEADY_S
        self._failures = 1 if steady else self._failures + 1
        pause_s = backoff.FIRST_DELAY_S + backoff.full_jitter_s(self._failures, random.random())  # noqa: S311
        self._not_before_s = now_s + pause_s
        self._log.event("worker_ended", reason=reason, again_s=round(pause_s))


def _command() -> list[str]:
    # A frozen program is its own interpreter and knows no -m.
    entry = [] if getattr(sys, "frozen", False) else ["-P", "-m", "forge_agent"]
    # All settings go by the environment: a command line can be read by everybody.
    options = ["--config", os.devnull, "--parent-pid", str(os.getpid())]
    return [sys.executable, *entry, "worker", *options]


def _environment(settings: Settings) -> dict[str, str]:
    return {
        **os.environ,
        NODE_ID: settings.node_id,
        CENTRAL_URL: settings.url,
        BEARER_TOKEN: settings.token,
        STATE_DIR: str(settings.state_dir),
        CA_FILE: "" if settings.ca_file is None else str(settings.ca_file),
        WORK: "on" if settings.work else "off",
        PLUGINS: os.pathsep.join(str(folder) for folder in settings.plugins),
    }


def _started(command: list[str], environment: dict[str, str]) -> Process:
    if os.name != "posix":
        import subprocess  # noqa: PLC0415  elsewhere there is no other way

        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    return _Spawned(
        os.posix_spawn(
            command[0],
            command,
            environment,
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
            # Ctrl-C on a terminal is for `run`, which tells the worker.
            setpgroup=0,
            setsigmask=[],
            setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGPIPE],
        )
    )


class _Spawned:
    """A process that was started without the subprocess module."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                self._code = 1  # somebody else has waited for it
            else:
                self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, sent: signal.Signals) -> None:
        if self.poll() is None:  # until it is waited for, nobody else has its id
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sent)
