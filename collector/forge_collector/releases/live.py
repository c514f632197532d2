"""What the folder holds now: release.json is read again whenever it changes."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

import structlog

from forge_collector.releases import rules
from forge_shared import releases

_log = structlog.get_logger()

_ALWAYS: Final = frozenset({releases.MANIFEST, releases.SIGNATURE})

_Stamp = tuple[int, int, int]


class Published:
    """The release in a folder, which may be missing, or filled while the collector runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp: _Stamp | None = None
        self._names: frozenset[str] = frozenset()
        self._unreadable: str | None = None  # why it could not be read when it was last looked at

    def file(self, name: str) -> Path | None:
        """Return the file of this name, None when the release has none."""
        if name not in self._names_now():
            return None
        path = self._folder / name
        try:
            # Not through a link: it could lead anywhere on this machine.
            is_file = stat.S_ISREG(path.lstat().st_mode)
        except OSError:
            return None
        return path if is_file and os.access(path, os.R_OK) else None

    def _names_now(self) -> frozenset[str]:
        path = self._folder / releases.MANIFEST
        try:
            found = path.lstat()
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            if stamp != self._stamp:
                self._stamp, self._names = stamp, self._read(path)
            self._unreadable = None
        except OSError as error:
            self._stamp, self._names = None, frozenset()
            self._note_unreadable(None if isinstance(error, FileNotFoundError) else error.strerror)
        return self._names

    def _note_unreadable(self, why: str | None) -> None:
        """Say so once, until it changes: everybody may ask, as often as they like."""
        if why is not None and why != self._unreadable:
            _log.warning("releases cannot be read", error=why)
        self._unreadable = why

    @staticmethod
    def _read(path: Path) -> frozenset[str]:
        # No more of it than is sensible.
        with open(path, "rb", opener=_open) as file:
            manifest = file.read(releases.MAX_MANIFEST_BYTES + 1)
        try:
            return rules.names_of(manifest) | _ALWAYS
        except rules.UnreadableError as error:
            _log.warning("release.json is no release", error=str(error))
            return frozenset()


def _open(path: str, flags: int) -> int:
    """Open neither a link nor a pipe, on which one would wait."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
