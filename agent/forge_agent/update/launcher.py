"""`forge-agent launch`: what the service starts. It runs the newest version that works.

Updates never touch the launcher, so there is always something that can go back. It chooses a
version and becomes it: no second process stays. Only while a version is on trial another one
watches. (Windows has no way to become another program: there the launcher stays as its parent, and
watches itself.)
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, NamedTuple

from forge_agent import config, itself
from forge_agent.terminal import complain
from forge_agent.update import installed
from forge_agent.update.installed import FAILED_STARTS, Trial
from forge_agent.update.trial import Patience, Status
from forge_shared import __version__, releases

if TYPE_CHECKING:
    import subprocess

    from forge_agent.config import Settings

# A status older than that says nothing about the version that was running before.
_RECENT_MS: Final = 15 * 60 * 1000
_PAUSE_S: Final = 1.0


class Tried(NamedTuple):
    """The version on trial, its start counted on disk, and what is needed to watch it."""

    trial: Trial
    settings: Settings
    boot_id_before: str | None


# Starts a version (None: the launcher's own), and returns its exit code, or None to look again for
# what is to run. Raises OSError when the version cannot be started.
Start = Callable[[str | None, Tried | None], int | None]


def main(given: argparse.Namespace) -> int:
    return launch(given.program_dir, _options_of_run(given.rest))


def launch(
    program_dir: Path,
    options: Sequence[str],
    *,
    patience: Patience = Patience(),  # noqa: B008  a constant
    as_parent: bool = os.name != "posix",
) -> int:
    """Run a version with these options of `run`; where the launcher becomes it, this returns only
    if none can be started."""
    program = _Program(program_dir, tuple(options), patience)
    start: Start = program.run_below if as_parent else program.become
    while True:
        code = _start_one(program_dir, options, start)
        if code is not None:
            return code
        time.sleep(_PAUSE_S if as_parent else 0)


def _options_of_run(rest: Sequence[str]) -> list[str]:
    """Return what stands behind `--`; a service may name the command `run` itself."""
    options = list(rest[1:] if rest[:1] == ["--"] else rest)
    return options[1:] if options[:1] == ["run"] else options


def _start_one(program_dir: Path, options: Sequence[str], start: Start) -> int | None:
    tried = _on_trial(program_dir, options)
    if tried is not None:
        try:
            return start(tried.trial.version, tried)
        except OSError as error:
            _give_up(program_dir, tried.trial.version, f"it cannot be started: {error.strerror}")
    known = installed.load(program_dir)
    for version in (known.current, known.previous, None):
        if version is None or _is_usable(program_dir, version):
            try:
                return start(version, None)
            except OSError as error:
                complain(str(error))
    return 1


# --- what to run --------------------------------------------------------------------------------


def _on_trial(program_dir: Path, options: Sequence[str]) -> Tried | None:
    """Return the version that is to be tried now; None: none is, or none that can be watched."""
    trial = installed.load(program_dir).trial
    if trial is None:
        return None
    if not _is_usable(program_dir, trial.version):
        _give_up(program_dir, trial.version, "there is no program in it that could be started")
        return None
    if trial.starts >= FAILED_STARTS:
        _give_up(program_dir, trial.version, f"it did not last in {trial.starts} starts")
        return None
    settings = _settings(options)
    if settings is None:
        # Whatever version runs will say what is wrong with them; that is not the new one's fault.
        return None
    return _counted(program_dir, trial.version, settings)


def _counted(program_dir: Path, version: str, settings: Settings) -> Tried | None:
    from forge_agent.update import watcher  # noqa: PLC0415  only a trial needs it

    status = watcher.status(settings)
    try:
        with installed.changing(program_dir):
            known = installed.load(program_dir)
            begun = installed.started(known, was_accepted=_was_accepted(status)).trial
            if begun is None or begun.version != version:
                return None
            installed.save(program_dir, known._replace(trial=begun))
    except OSError:
        # What cannot be counted must not be tried: it might fail for ever.
        return None
    return Tried(begun, settings, status.boot_id if status is not None else None)


def _is_usable(program_dir: Path, version: str) -> bool:
    """A launcher that was installed anew may be newer than what updates once brought."""
    program = installed.program_of(program_dir, version)
    return releases.is_newer(version, __version__) and os.access(program, os.X_OK)


def _give_up(program_dir: Path, version: str, reason: str) -> None:
    from forge_agent.update import watcher  # noqa: PLC0415

    with contextlib.suppress(OSError):
        watcher.give_up(program_dir, version, reason)


def _was_accepted(status: Status | None) -> bool:
    """Tell whether the collector took the pushes of the version that ran until now."""
    if status is None or status.connection != "online" or not status.has_pushed:
        return False
    return abs(time.time() * 1000 - status.noted_at) < _RECENT_MS


def _settings(options: Sequence[str]) -> Settings | None:
    from forge_agent import cli  # noqa: PLC0415  it imports this module when it starts it

    try:
        return cli.settings_of_run(options)
    except (config.SettingsError, SystemExit):
        return None


# --- running it ---------------------------------------------------------------------------------


class _Program:
    """What can be run, as this process or below it."""

    def __init__(self, program_dir: Path, options: Sequence[str], patience: Patience) -> None:
        self._program_dir = program_dir
        self._options = tuple(options)
        self._patience = patience

    def become(self, version: str | None, tried: Tried | None) -> int | None:
        """Become the version, and so return only by an OSError."""
        command, environment = self._command(version)
        if tried is None:
            os.execve(command[0], command, environment)  # noqa: S606
        # Its other end stays open for as long as this process lives, whatever program it is.
        ended, alive = os.pipe()
        try:
            self._fork_watcher(tried, ended, alive)
            os.set_inheritable(alive, True)
            os.execve(command[0], command, environment)  # noqa: S606
        finally:
            os.close(ended)
            os.close(alive)

    def run_below(self, version: str | None, tried: Tried | None) -> int | None:
        """Run the version as a child, until it ends or this process is told to stop."""
        import subprocess  # noqa: PLC0415

        command, environment = self._command(version, "--parent-pid", str(os.getpid()))
        child = subprocess.Popen(command, env=environment)
        stops = _hand_on_stops(child)
        if tried is not None:
            self._watch_child(tried, child)
        code = child.wait()
        if stops:
            return code
        update_waits = code == 0 and installed.load(self._program_dir).trial is not None
        return None if tried is not None or update_waits else code

    def _command(self, version: str | None, *further: str) -> tuple[list[str], dict[str, str]]:
        program = installed.program_of(self._program_dir, version)
        is_this = version is None and (getattr(sys, "frozen", False) or not program.exists())
        own = itself.command() if is_this else (str(program),)
        environment = {
            **os.environ,
            config.PROGRAM_DIR: str(self._program_dir),
            # A frozen program that starts another of its kind must not hand on where it unpacked.
            "PYINSTALLER_RESET_ENVIRONMENT": "1",
        }
        return [*own, "run", *self._options, *further], environment

    def _fork_watcher(self, tried: Tried, ended: int, alive: int) -> None:
        """Start a process that watches this one, and is nobody's child to wait for."""
        pid = os.getpid()
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            return
        try:
            if os.fork() == 0:
                os.close(alive)
                self._watch_process(tried, pid, ended)
        finally:
            os._exit(0)

    def _watch_process(self, tried: Tried, pid: int, ended: int) -> None:
        from forge_agent.update import watcher  # noqa: PLC0415

        def has_ended(patience_s: float) -> bool:
            return bool(select.select([ended], [], [], patience_s)[0])

        def end() -> None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)  # it has not ended, so the pid is still its own
                if has_ended(self._patience.stop_s):
                    return

        run = watcher.Run(tried.trial, tried.boot_id_before, has_ended, end)
        watcher.watch(self._program_dir, tried.settings, run, self._patience)

    def _watch_child(self, tried: Tried, child: subprocess.Popen[bytes]) -> None:
        from forge_agent.update import watcher  # noqa: PLC0415

        def has_ended(patience_s: float) -> bool:
            import subprocess  # noqa: PLC0415

            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(patience_s)
            return child.poll() is not None

        def end() -> None:
            child.terminate()
            if not has_ended(self._patience.stop_s):
                child.kill()

        run = watcher.Run(tried.trial, tried.boot_id_before, has_ended, end)
        watcher.watch(self._program_dir, tried.settings, run, self._patience)


def _hand_on_stops(child: subprocess.Popen[bytes]) -> list[int]:
    """Pass signals to stop on to the child; return a list that holds those that came."""
    stops: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stops.append(number)
        if os.name == "posix":  # elsewhere it has heard it too, from the console
            child.terminate()

    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)
    return stops
