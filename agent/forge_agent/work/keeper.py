"""The keeper of a job: starts its program, confined, and sees to it that nothing of it is left.

`forge-agent keep-job`, one process a job. Its standard input is a leash: the worker's words come by
it, and its end, however the worker ended, is the job's. The program's output goes to the worker
past the keeper.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from forge_agent.terminal import complain
from forge_agent.work import confinement, disk, linux, orders, processes
from forge_agent.work.orders import GRACE_S, Order

_LEASH: Final = 0
_LOOK_EVERY_S: Final = 1.0
_REAP_EVERY_S: Final = 0.02
_MIB: Final = 1024 * 1024
_MOST_PROCESSES: Final = 512
_MOST_OPEN_FILES: Final = 4096
_LARGEST_FILE_BYTES: Final = 1024 * _MIB
_LONGEST_WORD: Final = 4096


def main() -> int:
    try:
        order, document, rest = orders.read(lambda size: os.read(_LEASH, size))
    except (ValueError, TypeError):  # the worker is gone, or this is none
        complain("keep-job is started by the worker, and told by it what to do.")
        return 2
    os.set_inheritable(order.report_fd, False)
    keeper = Keeper(order, rest)
    try:
        refused = keeper.start(document)
    except OSError as error:
        refused = f"the job could not be started ({_told(error)})"
    del document  # up to megabytes, which the program has now
    if refused:
        keeper.tell({"refused": refused})
        return 1
    keeper.keep()
    return 0


class Keeper:
    def __init__(self, order: Order, rest: bytes) -> None:
        self._order = order
        self._heard = rest
        self._pid = 0
        self._status: int | None = None
        self._why = "ended"
        self._kill_at: float | None = None
        self._woken, self._wake = os.pipe()
        have = confinement.means()
        self._may_start = have.suffice or order.trusted
        self._user = confinement.user_of(os.getpid()) if have.another_user else None

    def start(self, document: bytes) -> str:
        """Start the program; return why not, if so. Raises OSError."""
        if not self._may_start:
            return confinement.refusal(self._order.trusting)
        if sys.platform == "linux":
            linux.adopt_orphans()
        # Stopping a service signals all its processes: it is the worker that says when.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._give_folder()
        failed, failing = os.pipe()
        keeper_pid = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            _become_the_program(self._order, self._user, document, keeper_pid, failing)
        os.close(failing)
        self._leave_output_to_the_program()
        with os.fdopen(failed, "rb") as pipe:
            why = pipe.read(_LONGEST_WORD).decode(errors="replace")
        if why:
            os.waitpid(self._pid, 0)
            return why
        self.tell({"started": self._pid})
        return ""

    def keep(self) -> None:
        """Return when nothing of the job is left, and that is told."""
        begun = time.clock_gettime(_CLOCK)
        wall_s = self._order.wall_s
        waits = select.poll()
        waits.register(_LEASH, select.POLLIN)
        waits.register(self._woken, select.POLLIN)
        looked = begun
        while True:
            self._reap()
            if self._status is not None:
                break
            now = time.clock_gettime(_CLOCK)
            if wall_s is not None and now >= begun + wall_s:
                wall_s = None
                self._term("wall_limit")
            if self._kill_at is not None and now >= self._kill_at:
                break
            if now >= looked + _LOOK_EVERY_S:
                looked = now
                if self._is_too_large():
                    break
            for fd, _ in waits.poll(_LOOK_EVERY_S * 1000):
                if fd == self._woken:
                    os.read(self._woken, 512)
                elif not self._listen():
                    waits.unregister(_LEASH)
                    self._kill_at, self._why = now, "kill"
        self._end_all()
        self.tell({"ended": {"status": self._status, "why": self._why}})

    def tell(self, report: dict[str, object]) -> None:
        with contextlib.suppress(OSError):  # whom it is for may be gone
            os.write(self._order.report_fd, json.dumps(report).encode() + b"\n")

    # --- what happens ------------------------------------------------------------------------

    def _listen(self) -> bool:
        """Do as the worker says; return whether the job may live on."""
        try:
            part = os.read(_LEASH, 4096)
        except OSError:
            part = b""
        self._heard += part
        *words, self._heard = self._heard.split(b"\n")
        for word in words:
            if word + b"\n" == orders.TERM:
                self._term("term")
            elif word + b"\n" == orders.KILL:
                return False
        return bool(part) and len(self._heard) <= _LONGEST_WORD

    def _term(self, why: str) -> None:
        if self._kill_at is None:
            self._why = why
            self._kill_at = time.clock_gettime(_CLOCK) + GRACE_S
            processes.signal_all(os.getpid(), signal.SIGTERM)

    def _is_too_large(self) -> bool:
        pids = processes.descendants(os.getpid())
        limit = self._order.memory_mib
        if len(pids) > _MOST_PROCESSES:
            self._why = "too_many_processes"
            return True
        if limit is not None and processes.memory_bytes(pids) > limit * _MIB:
            self._why = "out_of_memory"
            return True
        with contextlib.suppress(OSError):
            if disk.is_filled_by(self._order.work_dir):
                self._why = "disk_full"
                return True
        return False

    def _reap(self) -> bool:
        """Take note of who ended; return whether there is any child left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._pid:
                self._status = os.waitstatus_to_exitcode(status)

    def _end_all(self) -> None:
        """Kill what is left of the job until nothing is."""
        while self._reap():
            if self._user is not None:
                processes.kill_all_of(self._user)
            if not processes.kill_all(os.getpid()) and sys.platform != "linux":
                break
            if sys.platform != "linux":
                with contextlib.suppress(OSError):
                    os.killpg(self._pid, signal.SIGKILL)
            time.sleep(_REAP_EVERY_S)

    def _give_folder(self) -> None:
        """Make the job's folder, with what the worker has put there, the job's own."""
        if self._user is None:
            return
        for folder, _, names in os.walk(self._order.work_dir):
            for path in (folder, *(os.path.join(folder, name) for name in names)):  # noqa: PTH118
                os.chown(path, self._user, self._user, follow_symlinks=False)

    def _leave_output_to_the_program(self) -> None:
        """Close what would keep the worker from seeing its end."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for fd in (1, 2):
            os.dup2(nowhere, fd, inheritable=False)
        os.close(nowhere)


_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


# --- in the process that becomes the program ------------------------------------------------------


def _become_the_program(
    order: Order, user: int | None, document: bytes, keeper_pid: int, failing: int
) -> None:
    """Give up everything, and start the program in this process. Does not return."""
    try:
        os.setsid()
        _read_from(document)
        os.chdir(order.work_dir)
        _lower(order, user)
        for number in (
            *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD),
            *(signal.SIGPIPE, signal.SIGXFSZ),  # which Python ignores
        ):
            signal.signal(number, signal.SIG_DFL)
        os.umask(0o077)
        if sys.platform == "linux":
            confinement.confine(
                confinement.Walls(
                    order.work_dir, order.programs, order.readable, network=order.network
                ),
                user,
            )
            # After the change of user, which forgets it. The keeper may have ended before.
            linux.die_with_parent(signal.SIGKILL)
            if os.getppid() != keeper_pid:
                os._exit(1)
        os.execve(order.argv[0], order.argv, order.env)  # noqa: S606
    except BaseException as error:  # noqa: BLE001  nothing of the keeper may run on here
        what = f"{order.argv[0]} could not be started ({_told(error)})"
        os.write(failing, what.encode(errors="replace")[:_LONGEST_WORD])
    finally:
        os._exit(127)


def _read_from(document: bytes) -> None:
    """Put the document where the program reads: no pipe, so that nobody waits for it to read."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("document")
    else:
        import tempfile  # noqa: PLC0415

        fd, name = tempfile.mkstemp()
        os.unlink(name)  # noqa: PTH108
    view = memoryview(document)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    os.dup2(fd, 0)
    os.close(fd)


def _lower(order: Order, user: int | None) -> None:
    """Come after everybody else, and take no more than is allowed."""
    os.nice(19)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _MOST_OPEN_FILES)
    _limit(resource.RLIMIT_FSIZE, _LARGEST_FILE_BYTES)
    if order.memory_mib is not None:
        # The keeper looks at the job as a whole, once a second: this stops what is faster.
        _limit(resource.RLIMIT_DATA, 2 * order.memory_mib * _MIB)
    if user is not None:
        _limit(resource.RLIMIT_NPROC, _MOST_PROCESSES * 4)  # counts threads, of this user alone
    if sys.platform != "linux":
        return
    for lower in (linux.idle_io, _be_killed_first, lambda: _use_few_cores(order.cpu_cores)):
        _try(lower)


def _try(lower: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):  # it works without
        lower()


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(what, (most, most))


def _be_killed_first() -> None:
    """Be what the kernel ends when memory is short."""
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _use_few_cores(most: int | None) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if most is None or most >= len(cores):
        return
    # Jobs that run at the same time should not share theirs.
    first = os.getpid() % len(cores)
    os.sched_setaffinity(0, [cores[(first + step) % len(cores)] for step in range(most)])


def _told(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}"
