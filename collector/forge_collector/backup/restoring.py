"""Putting a backup in place: verified first, then in one step."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from forge_collector import config
from forge_collector.backup import checking, contents, drafts
from forge_collector.backup.contents import Contents, UnsoundError
from forge_collector.config import ConfigError
from forge_collector.db import DatabaseError, SqliteEngine, sqlite_file

_CHUNK_BYTES: Final = 1024 * 1024


def restore(backup: Path, data: Path, *, replace: bool, accept_damage: bool) -> Contents:
    """Make a backup a data folder's store; raises ConfigError, DatabaseError and OSError, and then
    leaves the folder as it was."""
    contents.check_is_whole(backup)
    config.prepare_data_folder(data)
    with config.locked(data):
        database = data / config.DATABASE_FILE
        if database.exists():
            _check_replacing(backup, database, replace=replace)
        with drafts.draft(database) as draft:
            with backup.open("rb") as source, draft.open("wb") as copy:
                shutil.copyfileobj(source, copy, _CHUNK_BYTES)
            found = contents.verified(draft)
            _bring_up_to_date(draft)
            _check_history(draft, accept_damage=accept_damage)
            # The log beside a database belongs to that one alone.
            _remove_log(database)
            drafts.put_in_place(draft, database)
        return found


def _check_replacing(backup: Path, database: Path, *, replace: bool) -> None:
    if backup.samefile(database):
        raise ConfigError(f"{backup} is this folder's database already.")
    if not replace:
        raise ConfigError(
            f"{database.parent} holds a database. Name another folder, or add --force to replace "
            "it: what it holds is then gone."
        )


def _bring_up_to_date(draft: Path) -> None:
    """Apply this release's migrations, so that one which fails does so before it is in place."""
    engine = SqliteEngine(draft)
    engine.open_writer().close()
    _remove_log(draft)


def _check_history(draft: Path, *, accept_damage: bool) -> None:
    with sqlite_file.opened(draft, has_log=False) as tx:
        _, damaged = checking.of_history(lambda query: query(tx))
    if damaged and not accept_damage:
        raise UnsoundError(
            "Parts of its history are damaged:\n"
            + contents.indented([checking.described(one) for one in damaged])
            + "\nAdd --accept-damage to restore all the rest."
        )


def _remove_log(database: Path) -> None:
    """Fold a database's log into it. When it is too damaged for that, the log goes as it is."""
    if database.exists():
        with suppress(DatabaseError):
            sqlite_file.fold_log_in(database)
    drafts.remove_logs(database)
