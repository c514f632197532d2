"""The program: what of it runs here, and its way into the folder that a service starts it from."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Final

from forge_agent import itself
from forge_agent.places import Places
from forge_agent.update import installed

_EXECUTABLE: Final = installed.program_name()


class _CopyError(Exception):
    """A file could not be copied. No OSError: shutil would go on with the others, and tell at its
    end in a way that names neither file nor reason."""

    def __init__(self, why: OSError) -> None:
        super().__init__(why)
        self.why = why


def frozen_folder() -> Path | None:
    """Return the folder of the frozen program that runs; None for a Python of its own."""
    return Path(sys.executable).resolve().parent if getattr(sys, "frozen", False) else None


def is_single_file() -> bool:
    """Tell whether the program unpacked itself to a temporary folder, for this one run."""
    folder, unpacked = frozen_folder(), getattr(sys, "_MEIPASS", None)
    return (
        folder is not None
        and unpacked is not None
        and not Path(unpacked).resolve().is_relative_to(folder)
    )


def command(places: Places, *, frozen: bool, user: bool) -> tuple[str, ...]:
    """Return what starts the agent, up to the options of `run`."""
    # Windows' manager of services talks with what it starts.
    hosted = sys.platform == "win32" and not user
    if not frozen:
        python = itself.command()
        return (*python, "windows-service", "--") if hosted else (*python, "run")
    launcher = str(places.launcher_dir / _EXECUTABLE)
    verb = "windows-service" if hosted else "launch"
    return (launcher, verb, "--program-dir", str(places.program_dir), "--")


def copy(source: Path, places: Places) -> bool:
    """Put the program's folder where the service starts it, in the place of one that is there;
    return False when it is what runs. Raises OSError.

    Half a copy is never in its place: the folder is copied beside it and renamed.
    """
    target = places.launcher_dir
    if target.exists() and source.samefile(target):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh, stale = target.with_name(f"{target.name}.new"), target.with_name(f"{target.name}.old")
    for leftover in (fresh, stale):
        _remove_tree(leftover)
    try:
        shutil.copytree(source, fresh, symlinks=True, copy_function=_copy_file)
    except _CopyError as failed:
        _remove_tree(fresh)
        raise failed.why from None
    _open_to_all(fresh)
    if target.exists():
        target.rename(stale)
    fresh.rename(target)
    # On Windows a program that still runs keeps its files; the next installation removes them.
    with contextlib.suppress(OSError):
        _remove_tree(stale)
    return True


def give_to_the_service(places: Places) -> None:
    """Make the folder that updates go into, its owner that of the state: the service itself, once
    it has run. Raises OSError."""
    places.program_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    if os.name != "posix":
        return
    owner = places.state_dir.stat()
    # We are root, and what is in the state is the service's to change: what it may have put in
    # the folder's place must not lead us elsewhere.
    folder = os.open(places.program_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(folder, owner.st_uid, owner.st_gid)
        if places.program_dir / installed.LAUNCHER != places.launcher_dir:
            with contextlib.suppress(FileExistsError):
                # The way the launcher finds its own version.
                os.symlink(places.launcher_dir, installed.LAUNCHER, dir_fd=folder)
    finally:
        os.close(folder)


def link(places: Places) -> bool:
    """Put the program on the PATH, unless something else has the name there."""
    path = places.command_link
    if path is None:
        return False
    program = places.launcher_dir / _EXECUTABLE
    try:
        if path.is_symlink() and path.readlink() == program:
            return True
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(program)
    except OSError:
        return False
    return True


def unlink(places: Places) -> None:
    """Take the program off the PATH, if it is there by us. Raises OSError."""
    path = places.command_link
    if path is None or not path.is_symlink():
        return
    if path.readlink() == places.launcher_dir / _EXECUTABLE:
        path.unlink()


def remove(places: Places) -> list[Path]:
    """Remove the program and what updates brought; return the folders that were there. Raises
    OSError."""
    unlink(places)
    folders = [places.launcher_dir, places.program_dir]
    found = [folder for folder in folders if folder.exists()]
    for folder in found:
        _remove_tree(folder)
    return found


def _copy_file(source: str, target: str, *, follow_symlinks: bool = True) -> str:
    """Copy a file and its mode, and not its extended attributes: SELinux would have a service run
    nothing that bears the label of somebody's home."""
    try:
        shutil.copyfile(source, target, follow_symlinks=follow_symlinks)
        shutil.copymode(source, target, follow_symlinks=follow_symlinks)
    except OSError as error:
        raise _CopyError(error) from None
    return target


def _open_to_all(folder: Path) -> None:
    """Let others run what was unpacked for its owner alone: the service is another user."""
    for parent, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            path = Path(parent) / name
            if path.is_symlink():
                continue
            mode = path.stat().st_mode
            runs = stat.S_ISDIR(mode) or mode & stat.S_IXUSR
            path.chmod(0o755 if runs else 0o644)


def _remove_tree(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
