"""Watches one run of a version on trial, from a process of its own, and ends it if it fails."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from forge_agent.config import Settings
from forge_agent.log import Log
from forge_agent.standing import FILE_NAME
from forge_agent.transport import Connection, TransportError
from forge_agent.update import installed
from forge_agent.update.installed import Trial
from forge_agent.update.trial import Judge, Patience, Status, Verdict, status_of


class Run(NamedTuple):
    """One run of the version on trial. ``boot_id_before``: of the status that was there before it.
    ``ended``: wait so many seconds at most for its end, and tell whether it has come; ``end``: ask
    it to end, or else make it."""

    trial: Trial
    boot_id_before: str | None
    ended: Callable[[float], bool]
    end: Callable[[], None]


def watch(program_dir: Path, settings: Settings, run: Run, patience: Patience) -> None:
    """Return when the version has proved itself, has ended, or was ended as a failure."""
    version = run.trial.version
    _log().event("update_tried", version=version, starts=run.trial.starts)
    judge = Judge(
        version,
        was_accepted=bool(run.trial.was_accepted),
        boot_id_before=run.boot_id_before,
        patience=patience,
        now_s=time.monotonic(),
    )
    lasted = False
    while not run.ended(patience.look_s):  # when it has ended, the launcher counts how often
        verdict = _look(judge, settings, time.monotonic())
        # What cannot be written, on a full disk, is tried again at the next look.
        with contextlib.suppress(OSError):
            if verdict is Verdict.PROVED:
                _keep(program_dir, version)
                return
            if verdict is Verdict.FAILED:
                give_up(program_dir, version, judge.reason)
                run.end()
                return
            if verdict is Verdict.LASTING and not lasted:
                _forgive(program_dir, version)
                lasted = True


def _look(judge: Judge, settings: Settings, now_s: float) -> Verdict:
    """Look at the status once, and ask the collector if that is called for."""
    verdict = judge.look(status(settings), now_s)
    if verdict is not Verdict.FAILED and judge.wants_probe(now_s):
        judge.probed(answered=_collector_answers(settings))
    return verdict


def status(settings: Settings) -> Status | None:
    try:
        return status_of(json.loads((settings.state_dir / FILE_NAME).read_bytes()))
    except (OSError, ValueError, RecursionError):
        return None


def _keep(program_dir: Path, version: str) -> None:
    """The version has proved itself; raises OSError."""
    with installed.changing(program_dir):
        proved = installed.proved(installed.load(program_dir), version)
        installed.save(program_dir, proved)
        installed.remove_others(program_dir, proved)
    _log().event("update_proved", version=version)


def give_up(program_dir: Path, version: str, reason: str) -> None:
    """The version has failed; raises OSError."""
    with installed.changing(program_dir):
        before = installed.load(program_dir)
        installed.save(program_dir, installed.rejected(before, version))
    _log().event("update_rejected", version=version, reason=reason)


def _forgive(program_dir: Path, version: str) -> None:
    """The version has run for a while: how often it was started counts no more. Raises OSError."""
    with installed.changing(program_dir):
        installed.save(program_dir, installed.lasting(installed.load(program_dir), version))


def _collector_answers(settings: Settings) -> bool:
    connection = Connection(settings.url, ca_file=settings.ca_file)
    try:
        return connection.get("/readyz").status == 200
    except TransportError:
        return False
    finally:
        connection.close()


def _log() -> Log:
    return Log(sys.stderr, human=sys.stderr.isatty())
