"""A job's processes held by a job object: Windows ends them all when the worker's handle closes,
and so when the worker ends, however that comes about."""

from __future__ import annotations

import contextlib
import ctypes
import queue
import subprocess
import threading
from ctypes import wintypes
from typing import IO, Any, Final

from forge_agent.work import confinement
from forge_agent.work.orders import GRACE_S, Order

_IDLE_PRIORITY: Final = 0x40
_NEW_GROUP: Final = 0x200
_NO_WINDOW: Final = 0x08000000
_CTRL_BREAK: Final = 1
_EXTENDED_LIMITS: Final = 9  # JobObjectExtendedLimitInformation
_LIMIT_MEMORY_OF_ALL: Final = 0x200
_LIMIT_PROCESSES: Final = 0x8
_END_WITH_HANDLE: Final = 0x2000
_MOST_PROCESSES: Final = 512
_ENDED_BY_US: Final = 1


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("process_time", ctypes.c_int64),
        ("job_time", ctypes.c_int64),
        ("flags", wintypes.DWORD),
        ("least_working_set", ctypes.c_size_t),
        ("most_working_set", ctypes.c_size_t),
        ("processes", wintypes.DWORD),
        ("affinity", ctypes.c_size_t),
        ("priority_class", wintypes.DWORD),
        ("scheduling_class", wintypes.DWORD),
    )


class _Limits(ctypes.Structure):
    _fields_ = (
        ("basic", _BasicLimits),
        ("io_counters", ctypes.c_uint64 * 6),
        ("memory_of_each", ctypes.c_size_t),
        ("memory_of_all", ctypes.c_size_t),
        ("most_of_each", ctypes.c_size_t),
        ("most_of_all", ctypes.c_size_t),
    )


class WindowsHold:
    """See `child.Hold`. The program waits for its document until it is in the job object."""

    def __init__(self, order: Order, document: bytes) -> None:
        self._reports: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._why = "ended"
        self._lock = threading.Lock()
        self._timers: list[threading.Timer] = []
        if not order.trusted:
            raise OSError(confinement.refusal(order.trusting))
        self._kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
        self._kernel.CreateJobObjectW.restype = wintypes.HANDLE
        self._job = wintypes.HANDLE(self._kernel.CreateJobObjectW(None, None))
        self._set_limits(order)
        self._program = subprocess.Popen(
            order.argv,
            cwd=order.work_dir,
            env=order.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=-1,
            creationflags=_IDLE_PRIORITY | _NEW_GROUP | _NO_WINDOW,
        )
        handle = wintypes.HANDLE(int(self._program._handle))  # type: ignore[attr-defined]  # noqa: SLF001
        if not self._kernel.AssignProcessToJobObject(self._job, handle):
            self._program.kill()
            raise OSError("the program could not be put into a job object")
        assert self._program.stdin and self._program.stdout and self._program.stderr  # noqa: S101, PT018
        self.pid = self._program.pid
        self.stdout: IO[bytes] = self._program.stdout
        self.stderr: IO[bytes] = self._program.stderr
        self._reports.put({"started": self.pid})
        threading.Thread(target=self._write, args=(document,), daemon=True).start()
        threading.Thread(target=self._wait, daemon=True).start()
        if order.wall_s is not None:
            self._later(order.wall_s, lambda: self._term("wall_limit"))

    def report(self) -> dict[str, Any] | None:
        return self._reports.get()

    def term(self) -> None:
        self._term("term")

    def kill(self) -> None:
        with self._lock:
            self._note("kill")
        self._kernel.TerminateJobObject(self._job, _ENDED_BY_US)

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._program.wait()
        for pipe in (self.stdout, self.stderr):
            pipe.close()
        self._kernel.CloseHandle(self._job)

    def _term(self, why: str) -> None:
        with self._lock:
            self._note(why)
        # To the program's group, which has no console of ours when it is a service.
        self._kernel.GenerateConsoleCtrlEvent(_CTRL_BREAK, self.pid)
        self._later(GRACE_S, self.kill)

    def _note(self, why: str) -> None:
        if self._why == "ended" and self._program.poll() is None:
            self._why = why

    def _later(self, after_s: float, does: Any) -> None:
        timer = threading.Timer(after_s, does)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _write(self, document: bytes) -> None:
        stdin = self._program.stdin
        if stdin is not None:
            with contextlib.suppress(OSError):
                stdin.write(document)
                stdin.close()

    def _wait(self) -> None:
        status = self._program.wait()
        self._kernel.TerminateJobObject(self._job, _ENDED_BY_US)  # what it has left behind
        self._reports.put({"ended": {"status": status, "why": self._why}})
        self._reports.put(None)

    def _set_limits(self, order: Order) -> None:
        limits = _Limits()
        limits.basic.flags = _END_WITH_HANDLE | _LIMIT_PROCESSES
        limits.basic.processes = _MOST_PROCESSES
        if order.memory_mib is not None:
            limits.basic.flags |= _LIMIT_MEMORY_OF_ALL
            limits.memory_of_all = order.memory_mib * 1024 * 1024
        self._kernel.SetInformationJobObject(
            self._job, _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)
        )
