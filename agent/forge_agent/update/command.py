"""`forge-agent update`: fetches a newer signed release, checks it, and puts it up to be tried."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from forge_agent import config, places, private_files, terminal
from forge_agent.core.untrusted import printable
from forge_agent.lock import FileLock, LockedError
from forge_agent.service.program import is_single_file
from forge_agent.terminal import complain
from forge_agent.update import installed, keys, release
from forge_agent.update.download import Download, DownloadError, Patience
from forge_agent.update.release import Archive, Choice, Release
from forge_agent.update.sources import Collector, Folder, MissingError, Source, SourceError
from forge_agent.update.unpack import UnpackError, unpack
from forge_shared import __version__, releases, signatures

_LOCK: Final = "update.lock"
_DOWNLOADS: Final = "download"
_TRY_S: Final = 60.0
# Of processes, memory or open files: no fault of a program that could not be started.
_MACHINE_IS_FULL: Final = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
_DISK_IS_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UpdateError(Exception):
    """Nothing was installed; the message says why, and what to do."""

    exit_code = 1


class UpdateSettingsError(UpdateError):
    """Something must be set, or done otherwise, first."""

    exit_code = 2


class Wanted(NamedTuple):
    """What to look for. ``platform`` None: no release is made for this machine."""

    source: Source
    keys: tuple[str, ...]
    platform: str | None
    running: str = __version__


def main(given: argparse.Namespace) -> int:
    """Return the exit code: 0 done, or nothing to do; 1 refused or failed; 2 wrong settings."""
    try:
        wanted = _wanted(given)
        with contextlib.closing(wanted.source):
            if given.check:
                check(wanted._replace(running=_current()), terminal.say)
            else:
                update(_as_its_owner(_program_dir()), wanted, terminal.say)
    except config.SettingsError as error:
        for problem in error.problems:
            complain(problem)
        return 2
    except UpdateError as error:
        complain(str(error))
        return error.exit_code
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}.")
        return 1
    return 0


def check(wanted: Wanted, say: Callable[[str], None]) -> None:
    """Say whether there is a newer release; raises UpdateError."""
    offered = _offered(wanted)
    if offered is None:
        say(f"{wanted.source.name} offers no release.")
    elif releases.is_newer(offered.version, wanted.running):
        _archive(offered, wanted)
        say(f"{offered.version} is there; this is {wanted.running}.")
    else:
        say(f"This is {wanted.running}; {wanted.source.name.lower()} offers {offered.version}.")


def update(
    program_dir: Path,
    wanted: Wanted,
    say: Callable[[str], None],
    patience: Patience | None = None,
) -> None:
    """Bring the release that is offered, if this machine wants it, up to be tried; raises
    UpdateError. Killed at any moment, it leaves what was there before, or the new one whole."""
    try:
        program_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(program_dir / _LOCK)
    except LockedError:
        raise UpdateError("Another update is at work: wait until it is done.") from None
    except OSError as error:
        raise UpdateError(
            f"{program_dir} cannot be written ({error.strerror}): run this as its owner, or with"
            " sudo."
        ) from None
    try:
        _update(program_dir, wanted, say, patience)
    except OSError as error:
        raise _of_disk(error, program_dir) from None
    finally:
        lock.release()


def _update(
    program_dir: Path,
    wanted: Wanted,
    say: Callable[[str], None],
    patience: Patience | None,
) -> None:
    offered = _offered(wanted)
    if offered is None:
        say(f"{wanted.source.name} offers no release.")
        return
    known = installed.load(program_dir)
    current = installed.in_use(known, wanted.running)
    choice = release.choose(offered.version, known, wanted.running)
    if choice is not Choice.INSTALL:
        _clear(program_dir)
        say(_nothing_to_do(choice, offered.version, current))
        return
    archive = _archive(offered, wanted)
    _change(program_dir, lambda found: installed.seen(found, offered.version))
    say(f"{current} → {offered.version}: {archive.size / 1e6:,.1f} MB")
    _bring(program_dir, archive, offered.version, wanted.source, patience)
    _change(program_dir, lambda found: installed.on_trial(found, offered.version))
    _clear(program_dir)
    say(
        f"✓ {offered.version} is installed. The service changes over to it within a minute, and"
        " back if it does not work."
    )


def _nothing_to_do(choice: Choice, offered: str, current: str) -> str:
    told = {
        Choice.UP_TO_DATE: f"{current} is up to date.",
        Choice.OLDER: f"{current} is up to date: {offered}, which is offered, is older than what"
        " was here already.",
        Choice.REJECTED: f"{current} stays: {offered} was tried on this machine and did not work."
        " A higher version will be tried.",
        Choice.WAITING: f"{offered} is installed, and waits to be tried: is the service running?",
    }
    return told[choice]


def _offered(wanted: Wanted) -> Release | None:
    """Return the release that is offered, None if there is none; raises UpdateError."""
    if not wanted.keys:
        raise UpdateSettingsError(
            f"No key is known to check releases with: set {config.RELEASE_KEYS} to the public key"
            " of whoever makes them."
        )
    try:
        manifest = wanted.source.whole(releases.MANIFEST, releases.MAX_MANIFEST_BYTES)
        signature = wanted.source.whole(releases.SIGNATURE, signatures.SIGNATURE_BYTES)
    except MissingError:
        return None
    except SourceError as error:
        raise UpdateError(f"No release could be fetched: {printable(str(error))}.") from None
    if not signatures.is_signed(manifest, signature, wanted.keys):
        raise UpdateError(
            f"{releases.MANIFEST} is not signed with a key that is trusted here. Nothing was"
            " installed: somebody may have changed it."
        )
    try:
        return release.read(manifest)
    except release.ManifestError as error:
        raise UpdateError(f"{releases.MANIFEST} cannot be used: {error}.") from None


def _archive(offered: Release, wanted: Wanted) -> Archive:
    archive = offered.archives.get(wanted.platform or "")
    if archive is None:
        there_are = ", ".join(sorted(offered.archives)) or "none"
        raise UpdateError(
            f"{offered.version} is not for this platform, {wanted.platform or platform.machine()}:"
            f" there are {printable(there_are)}."
        )
    return archive


# --- to disk ------------------------------------------------------------------------------------


def _bring(
    program_dir: Path, archive: Archive, version: str, source: Source, patience: Patience | None
) -> None:
    """Have the version's folder, whole; raises UpdateError, or OSError of the disk."""
    downloads, versions = program_dir / _DOWNLOADS, installed.versions_folder(program_dir)
    for folder in (downloads, versions):
        folder.mkdir(mode=0o755, exist_ok=True)
    _remove_leftovers(program_dir, archive.name)
    packed, draft = downloads / archive.name, versions / f"{version}.partial"
    try:
        Download(source, archive, patience).fetch(packed)
        unpack(packed, draft)
    except DownloadError as error:
        raise UpdateError(printable(str(error), 600)) from None
    except UnpackError as error:
        packed.unlink()
        installed.remove_folder(draft)
        raise UpdateError(
            f"{archive.name} cannot be unpacked: {printable(str(error))}. Nothing was installed."
        ) from None
    except OSError:
        # Room is what is missing.
        packed.unlink(missing_ok=True)
        installed.remove_folder(draft)
        raise
    _try(draft / installed.program_name(), version, program_dir)
    folder = versions / version
    if folder.exists():
        # Of an update that was cut off before it was put up; nothing refers to it.
        installed.remove_folder(folder)
    draft.rename(folder)
    private_files.sync_folder(versions)


def _try(program: Path, version: str, program_dir: Path) -> None:
    """See whether it can be started at all; what cannot is not fetched again. Raises UpdateError,
    or OSError of the machine."""
    if not _can_be_found(program):
        return  # only by the service, which will see for itself
    try:
        said = subprocess.run(
            [program.absolute(), "--version"],
            env={**os.environ, "PYINSTALLER_RESET_ENVIRONMENT": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TRY_S,
            check=False,
        )
        answer = said.stdout.decode("utf-8", "replace").strip()
        failure = "" if answer == f"{releases.PROGRAM} {version}" else f"it says {answer!r}"
        if said.returncode:
            failure = f"it ends with {said.returncode}: {said.stderr.decode('utf-8', 'replace')}"
    except subprocess.TimeoutExpired:
        failure = "it does not answer"
    except OSError as error:
        if error.errno in _MACHINE_IS_FULL:
            raise
        failure = str(error.strerror)
    if not failure:
        return
    _change(program_dir, lambda found: installed.rejected(found, version))
    installed.remove_folder(program.parent)
    _clear(program_dir)
    raise UpdateError(
        f"{version} cannot be started on this machine: {printable(failure)}. It was left out, and"
        " will not be tried again."
    )


def _can_be_found(program: Path) -> bool:
    """Tell whether the program can read itself, for which it goes by its whole path."""
    return os.access(program.absolute(), os.R_OK)


def _change(
    program_dir: Path, change: Callable[[installed.Installed], installed.Installed]
) -> None:
    with installed.changing(program_dir):
        installed.save(program_dir, change(installed.load(program_dir)))


def _remove_leftovers(program_dir: Path, archive_name: str) -> None:
    """Remove versions that were given up, and what updates that were cut off have left, but for
    what can be gone on with."""
    for path in (program_dir / _DOWNLOADS).iterdir():
        if path.name != archive_name:
            path.unlink()
    installed.remove_others(program_dir, installed.load(program_dir))


def _clear(program_dir: Path) -> None:
    """Remove what was fetched, now that it has served."""
    for path in (program_dir / _DOWNLOADS).glob("*"):
        path.unlink()


def _of_disk(error: OSError, program_dir: Path) -> UpdateError:
    if error.errno in _DISK_IS_FULL:
        return UpdateError(
            f"The disk is full. Nothing was installed: make room on the disk of {program_dir} and"
            " update again."
        )
    return UpdateError(
        f"Nothing was installed: {error.filename or program_dir}: {error.strerror or error}."
    )


# --- what this process is -----------------------------------------------------------------------


def _wanted(given: argparse.Namespace) -> Wanted:
    needed = () if given.source is not None else (config.CENTRAL_URL,)
    # No `.env`: root may stand in anybody's folder, who must not choose whose releases to take.
    settings = config.load(
        flags={},
        environ=os.environ,
        folder=None,
        config_file=given.config,
        needed=needed,
    )
    try:
        trusted = keys.trusted(settings.release_keys)
    except signatures.KeyTextError as error:
        raise UpdateSettingsError(f"{config.RELEASE_KEYS}: {error}.") from None
    source: Source = (
        Folder(Path(given.source).absolute())
        if given.source is not None
        else Collector(settings.url, settings.ca_file)
    )
    return Wanted(source, trusted, releases.platform_of(sys.platform, platform.machine()))


def _program_dir() -> Path:
    """Return where the program that this is has been installed; raises UpdateSettingsError."""
    told = config.program_dir(os.environ)
    if told is not None:
        return told
    if not getattr(sys, "frozen", False):
        raise UpdateSettingsError(
            "This agent is a Python package: update it with `pip install --upgrade forge-fleet`."
        )
    if is_single_file():
        raise UpdateSettingsError(
            "This is the single file, which is not installed: put the newer one in its place, or"
            " install the folder build with `forge-agent install`, which can update."
        )
    may_change_machine = places.may_use_the_machines()
    for where in (places.machine(), places.user()):
        if (where.launcher_dir / installed.program_name()).exists():
            if where == places.machine() and not may_change_machine:
                raise UpdateSettingsError(
                    "The agent is installed for the whole machine: run this with sudo, or as an"
                    " administrator."
                )
            return where.program_dir
    raise UpdateSettingsError(
        "No service is installed on this machine, so there is nothing to update: run `forge-agent"
        " install` first, or unpack the newer release by hand."
    )


def _current() -> str:
    """Return the version that the service runs, be it on trial, as far as this process may know; or
    its own."""
    try:
        found = installed.load(_program_dir())
    except UpdateSettingsError:
        return __version__
    return found.trial.version if found.trial else installed.in_use(found, __version__)


def _as_its_owner(program_dir: Path) -> Path:
    """Become the user that the service runs as, and return the folder's name from then on.

    What that user may change, root must not walk through: the service could have put links in the
    way. (The folder is entered before, since systemd closes the way to it for all but the service.)
    """
    if os.name != "posix" or os.geteuid() != 0:
        return program_dir
    owner = program_dir.parent.stat()
    if owner.st_uid == 0:
        return program_dir
    folder = os.open(program_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    os.fchdir(folder)
    os.close(folder)
    os.setgroups([])
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)
    return Path()
