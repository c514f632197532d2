"""Files that are there whole or not at all: written beside their place, synced, then put there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from forge_collector.config import sync_folder

_SYNC_EVERY_BYTES: Final = 8 * 1024 * 1024


@contextmanager
def draft(place: Path) -> Iterator[Path]:
    """Make an empty file beside a place, for its owner alone; in the end it is gone, unless it was
    put in place. One that a killed process left is begun anew."""
    path = place.with_name(f".{place.name}.draft")
    _remove(path)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield path
    finally:
        _remove(path)


def put_in_place(path: Path, place: Path) -> None:
    """Make a draft durable, and give it its name; what had that name before is replaced."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    path.replace(place)
    sync_folder(place.parent)


def remove_logs(database: Path) -> None:
    """Remove what SQLite keeps beside a database."""
    for ending in ("-wal", "-shm"):
        Path(f"{database}{ending}").unlink(missing_ok=True)


def write(file: BinaryIO, chunk: bytes) -> None:
    """Write a part of a large file, and every few MiB see that it reaches the disk: what piles up
    in memory would otherwise go there all at once, and a collector's commits wait behind it."""
    before = file.tell()
    file.write(chunk)
    if file.tell() // _SYNC_EVERY_BYTES != before // _SYNC_EVERY_BYTES:
        file.flush()
        os.fsync(file.fileno())


def _remove(draft: Path) -> None:
    draft.unlink(missing_ok=True)
    remove_logs(draft)
