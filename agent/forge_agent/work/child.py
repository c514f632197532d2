"""A job's program, as the worker holds it: what it writes, a leash to end it by, its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
import threading
import uuid
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Protocol

from forge_agent.work import confinement, programs
from forge_agent.work.orders import Order
from forge_agent.work.output import Lines, Tail
from forge_agent.work.plugins import NOTHING_GRANTED, Granted, Plugin
from forge_agent.work.programs import NoProgramError

_JOIN_S: Final = 5.0


class Reason(StrEnum):
    """Why a job's program is no more."""

    ENDED = "ended"  # by itself
    TERM = "term"
    KILL = "kill"
    WALL_LIMIT = "wall_limit"
    OUT_OF_MEMORY = "out_of_memory"
    TOO_MANY_PROCESSES = "too_many_processes"
    DISK_FULL = "disk_full"
    LINE_TOO_LONG = "line_too_long"
    KEEPER_DIED = "keeper_died"


_SAID: Final[Mapping[Reason, str]] = {
    Reason.ENDED: "the program ended",
    Reason.TERM: "it was asked to end",
    Reason.KILL: "it was ended",
    Reason.WALL_LIMIT: "its time was up",
    Reason.OUT_OF_MEMORY: "it took more memory than its limit",
    Reason.TOO_MANY_PROCESSES: "it started too many processes",
    Reason.DISK_FULL: "it filled the disk",
    Reason.LINE_TOO_LONG: "it wrote a line of more than 8 MiB",
    Reason.KEEPER_DIED: "the process that watched over it was ended by others",
}


class JobSpec(NamedTuple):
    """``document``: what the program reads. ``work_dir``: from `new_work_dir`; the files in it are
    the job's. ``protected``: what a job must not see, whatever was granted. ``trust_plugins``:
    start it even where it cannot be confined; ``trusting``: the command that says so. ``verify``:
    run the plugin's check, not its command. ``wall_s``: instead of the plugin's own limit."""

    plugin: Plugin
    document: bytes
    work_dir: Path
    granted: Granted = NOTHING_GRANTED
    protected: tuple[Path, ...] = ()
    trust_plugins: bool = False
    trusting: str = f"forge-agent {confinement.TRUSTING}"
    verify: bool = False
    wall_s: float | None = None


class Ending(NamedTuple):
    """How a program ended: with an exit code or by a signal, None for both when nobody saw it."""

    exit_code: int | None
    signal: int | None
    reason: Reason

    @property
    def how(self) -> str:
        said = _SAID[self.reason]
        if self.signal is not None:
            return f"{said} (signal {self.signal})"
        return said if self.exit_code is None else f"{said} (exit code {self.exit_code})"

    @property
    def clean(self) -> bool:
        return self.exit_code == 0 and self.reason in {Reason.ENDED, Reason.TERM}


class NotStartedError(Exception):
    """A job's program was not started; the message says why."""


class Hold(Protocol):
    """What a system has to hold a job's processes together: see posix_hold and windows_hold.

    Made, the program is on its way. ``report`` waits for the next of its messages:
    {"started": pid}, {"refused": why}, {"ended": {"status", "why"}}; None when there are no more.
    """

    pid: int
    stdout: IO[bytes]
    stderr: IO[bytes]

    def report(self) -> dict[str, Any] | None: ...

    def term(self) -> None: ...

    def kill(self) -> None: ...

    def close(self) -> None:
        """Wait for the keeper, and close what is open."""
        ...


class Child:
    """``start`` it, read its lines, `wait` for its end; `close` it whatever happened."""

    def __init__(self, spec: JobSpec) -> None:
        self._spec = spec
        self._hold: Hold | None = None
        self._lines = Lines()
        self._tail = Tail()
        self._threads: list[threading.Thread] = []
        self._told = threading.Condition()
        self._refused: str | None = None
        self._started = False
        self._ending: Ending | None = None
        self._too_long = False

    def start(self) -> None:
        """Start the program and wait until it runs; raises NotStartedError."""
        order = self._order()
        try:
            self._hold = hold = _new_hold(order, self._spec.document)
        except OSError as error:
            raise NotStartedError(f"no process could be started ({error})") from None
        for does in (self._read_lines, self._read_stderr, self._watch):
            thread = threading.Thread(target=does, args=(hold,), daemon=True, name=does.__name__)
            self._threads.append(thread)
            thread.start()
        with self._told:
            self._told.wait_for(lambda: self._started or self._ending is not None)
        if not self._started:
            self._threads[1].join(_JOIN_S)
            said = self._refused or f"its keeper ended: {self.stderr_tail()[-500:]}"
            self.close()
            raise NotStartedError(said)

    def next_line(self, timeout_s: float) -> bytes | None:
        """Return a line that the program wrote, None when there is none yet, or no more."""
        return self._lines.take(timeout_s)

    @property
    def at_end(self) -> bool:
        """Whether the program's output is closed, and all of it was taken."""
        return self._lines.at_end

    @property
    def pid(self) -> int:
        return 0 if self._hold is None else self._hold.pid

    def stderr_tail(self) -> str:
        return self._tail.text()

    def term(self) -> None:
        """Ask all of the job to end; what has not after GRACE_S is killed."""
        self._lines.hurry()
        if self._hold is not None:
            self._hold.term()

    def kill(self) -> None:
        """End all of the job at once."""
        self._lines.hurry()
        if self._hold is not None:
            self._hold.kill()

    def wait(self, timeout_s: float | None) -> Ending | None:
        """Return how it ended once nothing of the job is left; None when the time is up."""
        with self._told:
            self._told.wait_for(lambda: self._ending is not None, timeout_s)
            return self._ending

    def close(self) -> None:
        """End what is left of the job, and leave nothing open."""
        if self._hold is None:
            return
        self._hold.kill()
        self._lines.refuse()
        for thread in self._threads:
            thread.join(_JOIN_S)
        self._hold.close()

    # --- a thread each ----------------------------------------------------------------------

    def _read_lines(self, hold: Hold) -> None:
        if not self._lines.read_all(hold.stdout):
            self._too_long = True
            hold.kill()

    def _read_stderr(self, hold: Hold) -> None:
        self._tail.read_all(hold.stderr)

    def _watch(self, hold: Hold) -> None:
        ended: dict[str, Any] = {"status": None, "why": Reason.KEEPER_DIED}
        while (report := hold.report()) is not None:
            ended = report.get("ended", ended)
            with self._told:
                self._refused = report.get("refused")
                self._started = self._started or "started" in report
                self._told.notify_all()
        if ended["why"] == Reason.KEEPER_DIED and self._started:
            from forge_agent.work import processes  # noqa: PLC0415

            processes.kill_all_at_home(self._spec.work_dir)
        with self._told:
            self._ending = self._ending_of(ended["status"], Reason(ended["why"]))
            self._told.notify_all()

    def _ending_of(self, status: int | None, reason: Reason) -> Ending:
        if self._too_long and reason is Reason.KILL:
            reason = Reason.LINE_TOO_LONG
        if status is not None and status < 0:
            return Ending(None, -status, reason)
        return Ending(status, None, reason)

    # --- what is started --------------------------------------------------------------------

    def _order(self) -> Order:
        """Return what the keeper is told to do; raises NotStartedError."""
        spec, plugin = self._spec, self._spec.plugin
        command = plugin.verify if spec.verify else plugin.command
        try:
            program = programs.find(plugin, command, spec.granted, spec.work_dir)
        except NoProgramError as error:
            raise NotStartedError(str(error)) from None
        seen = confinement.exposed(program.folders, spec.protected) or next(
            (one for one in spec.granted.read if confinement.is_protected(one, spec.protected)),
            None,
        )
        if seen is not None:
            raise NotStartedError(
                f"a job of {plugin.name!r} would be shown {seen}, and with it the agent's own files"
            )
        return Order(
            argv=program.argv,
            env=program.env,
            work_dir=spec.work_dir,
            document_bytes=len(spec.document),
            report_fd=-1,
            programs=program.folders,
            readable=spec.granted.read,
            network=spec.granted.network,
            trusted=spec.trust_plugins,
            trusting=spec.trusting,
            wall_s=plugin.limits.wall_s if spec.wall_s is None else spec.wall_s,
            memory_mib=plugin.limits.memory_mib,
            cpu_cores=plugin.limits.cpu_cores,
        )


def _new_hold(order: Order, document: bytes) -> Hold:
    if sys.platform == "win32":
        from forge_agent.work.windows_hold import WindowsHold  # noqa: PLC0415

        return WindowsHold(order, document)
    from forge_agent.work.posix_hold import PosixHold  # noqa: PLC0415

    return PosixHold(order, document)


# --- the folder of a job --------------------------------------------------------------------------


def new_work_dir(base: Path) -> Path:
    """Make a folder for a job, empty and closed to others; raises OSError."""
    # As root, jobs are other users, who must get through to theirs.
    through = os.name == "posix" and os.geteuid() == 0
    base.mkdir(mode=0o711 if through else 0o700, parents=True, exist_ok=True)
    if through:
        base.chmod(0o711)
    return Path(tempfile.mkdtemp(dir=base, prefix="job-"))


def remove_work_dir(path: Path) -> None:
    """Remove a job's folder, also what the job has closed to us, and however deep it goes."""
    _bring_up_folders(path)
    shutil.rmtree(path, onerror=_open_and_try_again)


def _bring_up_folders(path: Path) -> None:
    """Move all folders that lie deeper in it up to the first level: to remove them where they are
    takes an open file and a stack frame a level, and a job makes as many levels as it likes."""
    found = [str(path)]
    for folder in found:  # grows as it goes
        with contextlib.suppress(OSError):
            os.chmod(folder, stat.S_IRWXU)  # noqa: PTH101
            with os.scandir(folder) as entries:
                inner = [one.path for one in entries if one.is_dir(follow_symlinks=False)]
            for one in inner:
                os.chmod(one, stat.S_IRWXU)  # noqa: PTH101  else it cannot be moved
                found.append(one if folder == str(path) else _moved(one, path))


def _moved(folder: str, to: Path) -> str:
    moved = str(to / uuid.uuid4().hex)
    os.rename(folder, moved)  # noqa: PTH104
    return moved


def _open_and_try_again(remove: Any, name: str, _: object) -> None:
    with contextlib.suppress(OSError):
        for path in (Path(name).parent, Path(name)):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | stat.S_IRWXU)
        if Path(name).is_dir() and not Path(name).is_symlink():
            shutil.rmtree(name, ignore_errors=True)
        else:
            remove(name)
