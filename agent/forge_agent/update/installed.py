"""What is installed below the program folder, and which of it is to run.

```
launcher/       the program as it was installed; updates never touch it
versions/X/     what updates brought
release.json    {"current", "previous", "trial", "rejected", "highest"}
```

``current`` is a version that has proved itself, null: the launcher's own. A trial is one that has
not yet; until it has, ``current`` stays what it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from forge_agent import private_files
from forge_agent.lock import FileLock, LockedError
from forge_shared import releases

LAUNCHER: Final = "launcher"
FAILED_STARTS: Final = 3  # then a version on trial is given up

_FILE: Final = "release.json"
_LOCK: Final = "release.lock"
_VERSIONS: Final = "versions"
_LOCK_WAIT_S: Final = 2.0
_LOCK_STEP_S: Final = 0.02
_REJECTED_KEPT: Final = 20

Stamp = tuple[int, int, int]


class Trial(NamedTuple):
    """A version that has yet to prove itself. ``starts``: how often it was started and did not
    last; ``was_accepted``: the collector took the pushes of the version before, None: not looked
    yet."""

    version: str
    starts: int = 0
    was_accepted: bool | None = None


class Installed(NamedTuple):
    """``rejected``: versions that were tried and did not work. ``highest``: the highest one that
    was ever to be installed; nothing below it is taken."""

    current: str | None = None
    previous: str | None = None
    trial: Trial | None = None
    rejected: tuple[str, ...] = ()
    highest: str | None = None


def in_use(installed: Installed, running: str) -> str:
    """Return the version that another must be newer than. ``running``: the one that asks.

    What updates once brought counts no more beside a launcher that was installed anew and is newer.
    """
    brought = installed.current
    return brought if brought is not None and releases.is_newer(brought, running) else running


# --- what becomes of it -------------------------------------------------------------------------


def seen(installed: Installed, version: str) -> Installed:
    """Remember that the version is to be installed."""
    if installed.highest is not None and not releases.is_newer(version, installed.highest):
        return installed
    return installed._replace(highest=version)


def on_trial(installed: Installed, version: str) -> Installed:
    return seen(installed, version)._replace(trial=Trial(version))


def started(installed: Installed, *, was_accepted: bool) -> Installed:
    """Count a start of the version on trial, before it."""
    trial = installed.trial
    if trial is None:
        return installed
    before = was_accepted if trial.was_accepted is None else trial.was_accepted
    return installed._replace(
        trial=trial._replace(starts=trial.starts + 1, was_accepted=before),
    )


def lasting(installed: Installed, version: str) -> Installed:
    """The version on trial has run for a while: its starts so far were no failures."""
    trial = installed.trial
    if trial is None or trial.version != version:
        return installed
    return installed._replace(trial=trial._replace(starts=0))


def proved(installed: Installed, version: str) -> Installed:
    """The version on trial works: it is the current one from now on."""
    if installed.trial is None or installed.trial.version != version:
        return installed
    return installed._replace(current=version, previous=installed.current, trial=None)


def rejected(installed: Installed, version: str) -> Installed:
    """The version does not work: the current one stays, and this one is not tried again."""
    on_it = installed.trial is not None and installed.trial.version == version
    others = tuple(each for each in installed.rejected if each != version)
    return installed._replace(
        trial=None if on_it else installed.trial,
        rejected=(*others, version)[-_REJECTED_KEPT:],
    )


# --- on disk ------------------------------------------------------------------------------------


def load(program_dir: Path) -> Installed:
    """Return what is installed; what cannot be read counts as nothing but the launcher."""
    try:
        return _parsed(json.loads((program_dir / _FILE).read_bytes()))
    except (OSError, ValueError, RecursionError):
        return Installed()


def save(program_dir: Path, installed: Installed) -> None:
    """Write it down, whole or not at all, to last a power cut; raises OSError."""
    record = installed._asdict()
    record["trial"] = installed.trial._asdict() if installed.trial is not None else None
    draft = program_dir / f"{_FILE}.new"
    try:
        with draft.open("w", encoding="utf-8") as file:
            json.dump(record, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(program_dir / _FILE)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    private_files.sync_folder(program_dir)


@contextlib.contextmanager
def changing(program_dir: Path) -> Iterator[None]:
    """Keep others from changing it between a ``load`` and a ``save``; raises OSError.

    The launcher, who watches a trial, and an update each hold it for an instant.
    """
    path = program_dir / _LOCK
    until_s = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            lock = FileLock(path)
            break
        except LockedError:
            if time.monotonic() > until_s:
                raise TimeoutError(f"{path} is held by another process") from None
            time.sleep(_LOCK_STEP_S)
    try:
        yield
    finally:
        lock.release()


def stamp(program_dir: Path) -> Stamp | None:
    """Return what differs once it was changed."""
    try:
        status = os.stat(program_dir / _FILE)  # noqa: PTH116
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def versions_folder(program_dir: Path) -> Path:
    return program_dir / _VERSIONS


def program_of(program_dir: Path, version: str | None) -> Path:
    """Return a version's program, which may be missing; None: the launcher's own."""
    if version is None:
        return program_dir / LAUNCHER / program_name()
    return versions_folder(program_dir) / version / program_name()


def program_name() -> str:
    return f"{releases.PROGRAM}.exe" if sys.platform == "win32" else releases.PROGRAM


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, as far as that goes.

    (shutil's way of it would have the launcher load compression libraries.)
    """
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in (*files, *folders):
            path = Path(parent) / name
            with contextlib.suppress(OSError):
                if stat.S_ISDIR(path.lstat().st_mode):
                    path.rmdir()
                else:
                    path.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()


def remove_others(program_dir: Path, installed: Installed) -> None:
    """Remove the versions that nothing refers to any more."""
    trial = installed.trial.version if installed.trial is not None else None
    kept = {installed.current, installed.previous, trial}
    try:
        found = list(versions_folder(program_dir).iterdir())
    except OSError:
        return
    for folder in found:
        if folder.name not in kept:
            remove_folder(folder)


def _parsed(record: Any) -> Installed:
    """Return what the record says; raises ValueError unless all of it can be relied on."""
    if not isinstance(record, dict):
        raise ValueError("no object")  # noqa: TRY004  the caller knows one kind of wrong
    listed = record.get("rejected") or []
    if not isinstance(listed, list):
        raise ValueError("no list")  # noqa: TRY004
    return Installed(
        current=_version(record.get("current")),
        previous=_version(record.get("previous")),
        trial=_trial(record.get("trial")),
        rejected=tuple(str(_version(each)) for each in listed),
        highest=_version(record.get("highest")),
    )


def _trial(record: Any) -> Trial | None:
    if record is None:
        return None
    version = _version(record.get("version")) if isinstance(record, dict) else None
    if version is None:
        raise ValueError("no trial")
    starts, was_accepted = record.get("starts", 0), record.get("was_accepted")
    if not isinstance(starts, int) or not isinstance(was_accepted, bool | None):
        raise ValueError("no trial")  # noqa: TRY004
    return Trial(version, starts, was_accepted)


def _version(value: Any) -> str | None:
    """Return a version; it becomes the name of a folder, so nothing else will do."""
    if value is None:
        return None
    if not isinstance(value, str) or releases.version_key(value) is None:
        raise ValueError("no version")
    return value
