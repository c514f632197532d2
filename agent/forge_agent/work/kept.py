"""What attempts leave on disk: their last checkpoints, and files on their way to the collector."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import uuid
from pathlib import Path
from typing import Any, BinaryIO, Final

from forge_agent import private_files

MOST_FILE_BYTES: Final = 256 * 1024 * 1024

_PART_BYTES: Final = 1024 * 1024


class UnusableFileError(Exception):
    """What a job calls its file cannot be taken; the message says why."""


class Kept:
    """Files of this worker alone, by the leases they belong to."""

    def __init__(self, folder: Path) -> None:
        self._checkpoints = folder / "checkpoints"
        self._files = folder / "files"
        for made in (self._checkpoints, self._files):
            made.mkdir(mode=0o700, exist_ok=True)

    def keep_checkpoint(self, lease: str, content: bytes) -> None:
        """Keep JSON, in case this process ends suddenly; a disk that is full keeps none."""
        with contextlib.suppress(OSError):
            private_files.write(self._checkpoint_of(lease), content)

    def checkpoint(self, lease: str) -> Any:
        """Return what was kept, None where nothing was."""
        with contextlib.suppress(OSError, ValueError):
            return json.loads(self._checkpoint_of(lease).read_bytes())
        return None

    def forget_checkpoint(self, lease: str) -> None:
        with contextlib.suppress(OSError):
            self._checkpoint_of(lease).unlink(missing_ok=True)

    def new_file(self) -> Path:
        """Return a path of its own for a file on its way."""
        return self._files / uuid.uuid4().hex

    def take(self, folder: Path, name: str) -> Path:
        """Copy a file that a job has left in its folder; raises UnusableFileError, OSError.

        The job may be another user who hopes to be shown what only we can read: nothing but a plain
        file is taken, that lies in the folder itself and is no link.
        """
        path = self.new_file()
        try:
            with _opened(folder, name) as source, path.open("xb") as copy:
                # What it appends meanwhile is not wanted: it may never end.
                _copy(source, copy, os.fstat(source.fileno()).st_size)
                copy.flush()
                os.fsync(copy.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def remove_all_but(self, paths: set[Path]) -> None:
        """Remove what an earlier worker left and nobody needs."""
        for path in (*self._files.iterdir(), *self._checkpoints.iterdir()):
            if path not in paths:
                path.unlink(missing_ok=True)

    def _checkpoint_of(self, lease: str) -> Path:
        # A lease is the collector's word, and no file name.
        return self._checkpoints / hashlib.sha256(lease.encode()).hexdigest()[:32]


def _copy(source: BinaryIO, copy: BinaryIO, size: int) -> None:
    while size > 0 and (part := source.read(min(size, _PART_BYTES))):
        copy.write(part)
        size -= len(part)


def _opened(folder: Path, name: str) -> BinaryIO:
    if Path(name).is_absolute():
        with contextlib.suppress(ValueError):
            name = str(Path(name).relative_to(folder))
    if name != Path(name).name or name in {"", ".", ".."}:
        raise UnusableFileError(f"{name[:200]!r} is no file in its own folder")
    if os.name == "posix":
        folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            fd = os.open(name, flags, dir_fd=folder_fd)
        except OSError as error:
            raise UnusableFileError(f"{name!r} cannot be read ({error.strerror})") from None
        finally:
            os.close(folder_fd)
    else:
        fd = os.open(folder / name, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > MOST_FILE_BYTES:
        os.close(fd)
        raise UnusableFileError(f"{name!r} is no plain file, or too large")
    return os.fdopen(fd, "rb")
