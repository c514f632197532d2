"""Files that are their owner's alone, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

# By their numbers, since their names are translated: the system and the administrators.
_WINDOWS_OWNERS: Final = ("*S-1-5-18:F", "*S-1-5-32-544:F")


def make_folder(folder: Path, *, for_user: bool) -> None:
    """Make a folder with those above it; one user's is closed to others. Raises OSError."""
    if not folder.is_dir():
        mode = 0o700 if for_user else 0o755
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
        folder.chmod(mode)  # whatever the umask: a service may be a user of its own


def write(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file so that, whatever happens, there is the old one or the new one, and after a
    power cut as well; raises OSError. A file that was another user's stays theirs."""
    path = Path(os.path.realpath(path))  # a link stays one
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)  # of an attempt that was cut off; its mode may be another
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(fd, "wb") as file:
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)  # whatever the umask
            if mode & 0o077 == 0:
                _close_to_others(new)
            _give_to_the_owner_of(path, file.fileno())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)  # noqa: PTH105
    except BaseException as error:
        with contextlib.suppress(OSError):
            new.unlink()
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # what a write fails with names none
        raise
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file, if there is one, so that it stays removed; raises OSError."""
    if path.exists():
        path.unlink()
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was renamed or removed in the folder outlive a power cut."""
    if os.name != "posix":
        return  # elsewhere a folder cannot be opened
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _give_to_the_owner_of(path: Path, fd: int) -> None:
    if os.name != "posix" or os.geteuid() != 0:
        return
    with contextlib.suppress(FileNotFoundError):
        before = path.stat()
        os.fchown(fd, before.st_uid, before.st_gid)


def _close_to_others(path: Path) -> None:
    """On Windows a mode says nothing, and whoever can sign in reads what is in ProgramData."""
    if sys.platform == "win32":
        user = f"{os.environ.get('USERDOMAIN', '.')}\\{os.environ.get('USERNAME', '')}:F"
        # By its whole path: Windows would look in the current folder first.
        icacls = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "icacls.exe"
        closed = subprocess.run(
            [str(icacls), str(path), "/inheritance:r", "/grant:r", *_WINDOWS_OWNERS, user],
            check=False,
            capture_output=True,
        )
        if closed.returncode:
            raise PermissionError(f"icacls could not close {path} to others")
