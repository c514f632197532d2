"""An empty store with the real schema, made once in a process and copied from then on: each new one
would wait for the disk in every migration."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from forge_collector.db import SqliteEngine
from forge_collector.db.engine import Connection


def put_empty_store(path: Path) -> None:
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(_empty())


def open_empty_store(path: Path) -> Connection:
    """Return the writer of a new store at that path."""
    put_empty_store(path)
    return SqliteEngine(path).open_writer()


@cache
def _empty() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, "fleet.db")
        SqliteEngine(path).open_writer().close()
        assert [each.name for each in path.parent.iterdir()] == [path.name]  # the log is folded in
        return path.read_bytes()
