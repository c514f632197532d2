"""Files that somebody else may replace: what they hold, and whether they are others than before."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Version(NamedTuple):
    """What differs between a file and the one that took its place."""

    inode: int
    size_bytes: int
    modified_ns: int


def version(path: Path) -> Version | None:
    """Return a file's version, None when it is not there."""
    try:
        status = path.stat()  # of what a link leads to: certbot replaces links
    except OSError:
        return None
    return Version(status.st_ino, status.st_size, status.st_mtime_ns)


def versions(*paths: Path) -> tuple[Version | None, ...]:
    return tuple(version(path) for path in paths)
