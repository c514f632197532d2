"""Whether a file is a sound store of ours, and what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from forge_collector.config import ConfigError
from forge_collector.db import DatabaseError, Tx, sqlite_file
from forge_collector.fleet import store as fleet


class Contents(NamedTuple):
    nodes: int


class UnsoundError(ConfigError):
    """A database is damaged, or none of ours; the message says how."""


def verified(path: Path) -> Contents:
    """Return what a file without a log holds; raises UnsoundError."""
    try:
        with sqlite_file.opened(path, has_log=False) as tx:
            check_schema(tx)
            if faults := sqlite_file.faults(tx):
                raise UnsoundError("The database is damaged:\n" + indented(faults))
            return _contents(tx)
    except DatabaseError as error:
        raise UnsoundError(f"The database cannot be read: {error}.") from None


def check_is_whole(path: Path) -> None:
    """Raise ConfigError unless a file stands by itself, as a backup does."""
    if not path.is_file():
        raise ConfigError(f"There is no file {path}.")
    log = Path(f"{path}-wal")
    if log.exists() and log.stat().st_size:
        raise ConfigError(
            f"{log} belongs to {path}: this is no backup, but a collector's own database. Take one "
            "with forge-collector backup."
        )


def check_schema(tx: Tx) -> None:
    """Raise UnsoundError when this is no store of ours, or one of a later release."""
    unknown = sqlite_file.unknown_migrations(tx)
    if unknown is None:
        raise UnsoundError("This is a database, but no Forge Fleet collector's.")
    if unknown:
        raise UnsoundError(
            f"A later release made this database ({', '.join(unknown)}): use that release."
        )


def indented(lines: list[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


def _contents(tx: Tx) -> Contents:
    return Contents(fleet.count(tx))
