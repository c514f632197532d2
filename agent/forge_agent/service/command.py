"""`forge-agent install` and `forge-agent uninstall`."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import stat
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import forge_agent
from forge_agent import authority, itself, noted, places, private_files
from forge_agent.config import Settings, SettingsError
from forge_agent.core.untrusted import printable
from forge_agent.log import NEUTRAL
from forge_agent.places import Places
from forge_agent.service import managers, program, settings
from forge_agent.service.carrying_out import StepFailedError, Tools, carry_out
from forge_agent.service.described import Manager, Service
from forge_agent.service.systemd import is_plain_path
from forge_agent.terminal import complain, say

_FIRST_PUSH_S: Final = 10.0
_STEP_S: Final = 0.2

# What the agent keeps in its state folder.
_OF_THE_AGENT: Final = (
    *("lock", "status.json", ".status.json", "cpu-model.json", "forge-agent.log"),
    *("spool", "spool-of-*", "work.json", "work"),
)
_SINGLE_FILE: Final = (
    "this is the build in a single file. It unpacks itself to a temporary folder, which cleaners"
    " empty under a running service: install from the folder build, the archive of the same"
    " release (.tar.gz, on Windows .zip)."
)
_NO_RIGHTS: Final = (
    "a service for the whole machine needs the rights of {who}: run `{how}` with them. Or have one"
    " for you alone, which needs none: `forge-agent {verb} --user`."
)
_NO_SETTINGS: Final = (
    "there are no settings yet: join a fleet first with `forge-agent join STRING{user}`, or set"
    " NODE_ID, CENTRAL_URL and BEARER_TOKEN in the environment or in a .env file here."
)


class RefusedError(Exception):
    """It cannot be done; the message says why and what to do."""

    def __init__(self, why: str, *, exit_code: int = 1) -> None:
        super().__init__(why)
        self.exit_code = exit_code


class Target(NamedTuple):
    """What is set up, and where. ``environ`` and ``folder``: where settings may be given when
    there is no file of them. ``patience_s``: how long to wait for the first push."""

    user: bool
    places: Places
    manager: Manager
    tools: Tools
    environ: Mapping[str, str]
    folder: Path
    patience_s: float = _FIRST_PUSH_S


def install(given: argparse.Namespace) -> int:
    """Set the service up; return the exit code: 0 done, 1 could not, 2 wrong settings."""
    return _ended(given.user, "install", lambda target: set_up(target, given.config))


def install_joined(given: argparse.Namespace) -> int:
    """Do the same for a machine that has joined just now, which has not failed where nothing starts
    services: its program is put where it can stay then, and its owner is told how to start it."""
    return _ended(given.user, "install", lambda target: set_up_or_keep(target, given.config))


def uninstall(given: argparse.Namespace) -> int:
    """Take the service away; return the exit code: 0 done, 1 could not."""
    return _ended(given.user, "uninstall", lambda target: take_away(target, purge=given.purge))


# --- setting up ---------------------------------------------------------------------------------


def set_up(target: Target, config_file: Path | None = None) -> None:
    """Install the program, set the service up and start it; what is there already is replaced.
    Raises RefusedError, SettingsError, StepFailedError, OSError."""
    if program.is_single_file():
        raise RefusedError(_SINGLE_FILE)
    why = target.manager.missing()
    if why:
        raise RefusedError(why)
    path, found = _settings(target, config_file)
    for warning in found.warnings:
        say(f"! {warning}")
    source = program.frozen_folder()
    service = Service(
        command=program.command(target.places, frozen=source is not None, user=target.user),
        config_file=path,
        state_dir=found.state_dir if target.user else target.places.state_dir,
        user=target.user,
    )
    if not target.user:
        _check_reach(found, target.places, frozen=source is not None)
    report = target.manager.report()
    was_there = report is not None and report.installed
    started_at_ms = int(time.time() * 1000)
    try:
        _put(target, service, source)
    except (StepFailedError, OSError):
        if not was_there:
            _undo(target, frozen=source is not None)
        raise
    for sentence in target.manager.afterwards():
        say(f"{NEUTRAL} {sentence}")
    _await_first_push(service.state_dir, started_at_ms, target.patience_s)
    say("  `forge-agent status` shows how it does.")


def set_up_or_keep(target: Target, config_file: Path | None = None) -> None:
    """Set the service up; or, where nothing starts services, keep the program. Raises the same."""
    absent = target.manager.absent()
    if not absent:
        set_up(target, config_file)
        return
    options = () if config_file is None else ("--config", str(config_file.absolute()))
    line = shlex.join([*_kept(target), "run", *options])
    say(f"{NEUTRAL} {absent}, so there is no service. Have what starts your programs start this:")
    say(f"    {line}")


def _kept(target: Target) -> Sequence[str]:
    """Put the program where it can stay, and return what starts it from there."""
    source = program.frozen_folder()
    if source is None or program.is_single_file():
        return itself.command()  # it stays where it is
    if program.copy(source, target.places):
        say(f"✓ program copied to {target.places.launcher_dir}")
    if program.link(target.places):
        say(f"✓ command: {target.places.command_link}")
        return (str(target.places.command_link),)
    return (str(target.places.launcher_dir / Path(sys.executable).name),)


def _settings(target: Target, config_file: Path | None) -> tuple[Path, Settings]:
    """Return the file with the settings and what it says; made from the environment when that has
    them and there is no file."""
    path = (config_file or target.places.config_file).absolute()
    if config_file is None and not path.exists():
        private_files.make_folder(path.parent, for_user=target.user)
        if not settings.written_from(target.environ, target.folder, path):
            user = " --user" if target.user else ""
            raise RefusedError(_NO_SETTINGS.format(user=user), exit_code=2)
        say(f"✓ settings kept in {path}")
    if not target.user and os.name == "posix" and not is_plain_path(path):
        raise RefusedError(f"{path} has characters that a unit cannot name: move the file.")
    return path, settings.of_file(path)


def _check_reach(found: Settings, where: Places, *, frozen: bool) -> None:
    """See that the service, which is a user of its own on Linux, can read what it needs."""
    if sys.platform != "linux":
        return
    if found.ca_file is not None:
        if found.ca_file.parent == where.ca_file.parent and found.ca_file.exists():
            # A certificate is for everybody to see; the settings beside it are not.
            found.ca_file.parent.chmod(0o755)
            found.ca_file.chmod(0o644)
        if not _is_open_to_all(found.ca_file):
            raise RefusedError(
                f"the service could not read {found.ca_file}, being a user of its own: make the"
                " file and the folders above it readable for all (chmod o+rX)."
            )
    package = Path(forge_agent.__file__).parent
    for path in () if frozen else (Path(sys.executable), package):
        if not _is_open_to_all(path):
            raise RefusedError(
                f"the service could not run {path}, being a user of its own: move this Python"
                " environment to where all may read, such as /opt, or use --user."
            )


def _put(target: Target, service: Service, source: Path | None) -> None:
    """Put the program in its place, and have it started."""
    carry_out(target.manager.pause(), target.tools, say)
    private_files.make_folder(service.state_dir, for_user=True)
    if source is not None:
        if program.copy(source, target.places):
            target.tools("restorecon", "-R", str(target.places.launcher_dir))  # where SELinux is
            say(f"✓ program copied to {target.places.launcher_dir}")
        program.give_to_the_service(target.places)
        if program.link(target.places):
            say(f"✓ command: {target.places.command_link}")
    carry_out(target.manager.install(service), target.tools, say)


def _undo(target: Target, *, frozen: bool) -> None:
    """Leave nothing half-done behind."""
    with contextlib.suppress(StepFailedError, OSError):
        carry_out(target.manager.uninstall(), target.tools, lambda _: None)
    if frozen:
        with contextlib.suppress(OSError):
            program.remove(target.places)


def _await_first_push(state_dir: Path, started_at_ms: int, patience_s: float) -> None:
    until_s = time.monotonic() + patience_s
    note = None
    while time.monotonic() < until_s:
        with contextlib.suppress(OSError):
            note = noted.read(state_dir)
        if note is not None and note.started_at >= started_at_ms and note.connection != "starting":
            if note.connection == "online":
                say(f"✓ online: {note.node_id} → {note.url}")
            else:
                say(f"{NEUTRAL} not online yet: {printable(note.reason)}")
            return
        time.sleep(_STEP_S)
    say(f"{NEUTRAL} nothing heard of it yet: `forge-agent doctor` says what keeps it")


def _is_open_to_all(path: Path) -> bool:
    try:
        real = path.resolve(strict=True)
        if not real.stat().st_mode & stat.S_IROTH:
            return False
        return all(parent.stat().st_mode & stat.S_IXOTH for parent in real.parents)
    except OSError:
        return False


# --- taking away --------------------------------------------------------------------------------


def take_away(target: Target, *, purge: bool) -> None:
    """Stop and remove the service and its program; settings and spool as well with ``purge``.
    Raises StepFailedError, OSError."""
    state_dir = _state_dir(target)
    carry_out(target.manager.uninstall(), target.tools, say)
    try:
        for folder in program.remove(target.places):
            say(f"✓ program removed: {folder}")
    except OSError as error:
        # Windows keeps a program that runs, and this command may be it.
        say(f"! {error.filename} is in use: remove {target.places.program_dir} by hand.")
    settings_file = target.places.config_file
    beside = settings_file.parent
    if not purge:
        kept = [str(path) for path in (settings_file, state_dir) if path.exists()]
        if kept:
            say(f"{NEUTRAL} kept: {', '.join(kept)} (--purge removes settings, token and spool)")
        return
    for path in (
        settings_file,
        settings_file.with_name(f"{settings_file.name}.joining"),
        settings_file.with_name(f"{settings_file.name}.lock"),
        # A machine that moved to another fleet has more than one; others are the owner's.
        *(path for path in beside.glob("*.pem") if authority.is_kept(path, beside)),
    ):
        path.unlink(missing_ok=True)
    say(f"✓ settings and token removed: {settings_file}")
    _remove_state(state_dir, alone=state_dir.is_relative_to(target.places.state_dir))
    say(f"✓ spool removed: {state_dir}")
    with contextlib.suppress(OSError):
        beside.rmdir()  # unless there is something else in it
    say(f"{NEUTRAL} The collector still knows this machine: forget it there, token and all.")


def _state_dir(target: Target) -> Path:
    """Return the folder with the spool: one user's has the node's name."""
    if not target.user:
        return target.places.state_dir
    try:
        return settings.of_file(target.places.config_file).state_dir
    except SettingsError:
        return target.places.state_dir


def _remove_state(state_dir: Path, *, alone: bool) -> None:
    """Remove the folder, and what systemd has put in its place: a link to a private one.

    ``alone``: nobody else has anything in it; a folder that the owner chose may hold more.
    """
    if not alone:
        for pattern in _OF_THE_AGENT:
            for path in state_dir.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        with contextlib.suppress(OSError):
            state_dir.rmdir()
        return
    real = state_dir.resolve()
    if state_dir.is_symlink():
        state_dir.unlink()
    if real.exists():
        shutil.rmtree(real)


# --- both ---------------------------------------------------------------------------------------


def _ended(user: bool, verb: str, work: Callable[[Target], None]) -> int:
    """Do the work on this machine; say what stood in its way, and return the exit code."""
    if not user and not places.may_use_the_machines():
        return _refuse([_without_rights(verb)], 1)
    try:
        where = places.user() if user else places.machine()
        tools = Tools()
        manager = managers.manager(where, tools, user=user)
        work(Target(user, where, manager, tools, os.environ, Path.cwd()))
    except SettingsError as error:
        return _refuse(error.problems, 2)
    except RefusedError as error:
        return _refuse([str(error)], error.exit_code)
    except StepFailedError as error:
        return _refuse([str(error)], 1)
    except OSError as error:
        return _refuse([f"{error.filename}: {error.strerror}"], 1)
    return 0


def _without_rights(verb: str) -> str:
    if os.name == "posix":
        return _NO_RIGHTS.format(who="root", how=f"sudo forge-agent {verb}", verb=verb)
    return _NO_RIGHTS.format(who="an administrator", how=f"forge-agent {verb}", verb=verb)


def _refuse(problems: Sequence[str], exit_code: int) -> int:
    for problem in problems:
        complain(printable(problem))
    return exit_code
