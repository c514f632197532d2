"""Taking a backup: a copy of the store, whole, verified, and durable before it has its name."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from forge_collector import config
from forge_collector.backup import client, contents, drafts
from forge_collector.config import ConfigError, FolderInUseError
from forge_collector.db import sqlite_file


class Backup(NamedTuple):
    """``was_running``: whether a collector was at work meanwhile."""

    size_bytes: int
    was_running: bool
    contents: contents.Contents


def take(place: Path, data: Path, *, replace: bool) -> Backup:
    """Write a backup; raises ConfigError, DatabaseError and OSError, and then leaves nothing."""
    database = data / config.DATABASE_FILE
    if not database.exists():
        raise ConfigError(f"There is no database in {data}. Name the data folder with --data DIR.")
    check_place(place, data, replace=replace)
    with drafts.draft(place) as draft:
        was_running = _copy(database, draft)
        found = contents.verified(draft)
        size_bytes = draft.stat().st_size
        check_place(place, data, replace=replace)
        drafts.put_in_place(draft, place)
    return Backup(size_bytes, was_running, found)


def check_place(place: Path, data: Path, *, replace: bool) -> None:
    # A device or a pipe that is replaced is gone.
    if (place.exists() and not place.is_file()) or not place.parent.is_dir():
        raise ConfigError(f"{place} is no place for a file: name a file in a folder that exists.")
    if place.resolve().parent == data.resolve():
        raise ConfigError(f"{place} is in the data folder itself; name a file elsewhere.")
    if place.exists() and not replace:
        raise ConfigError(f"{place} exists already. Name another file, or add --force.")


def _copy(database: Path, draft: Path) -> bool:
    data = database.parent
    try:
        with config.locked(data):
            sqlite_file.copy(database, draft)
            return False
    except FolderInUseError:
        pass
    url, secret = config.told_address(data), config.known_admin_secret(data)
    client.fetch(url, config.own_authority(data), secret, draft)
    return True
