"""The commands under test, as processes; and what a store holds, read without the collector."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from forge_collector.history.codec import DamagedError, decode_columns
from tests.process import CollectorProcess, environment

PATIENCE_S = 60.0


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "forge_collector", *map(str, arguments)]


def run(
    *arguments: str | Path, prepare: Callable[[], None] | None = None, **settings: str
) -> Ended:
    """Run ``forge-collector`` to its end. ``prepare``: called in the process before."""
    ended = subprocess.run(
        command(*arguments),
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        preexec_fn=prepare,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return Ended(ended.returncode, ended.stdout, ended.stderr)


class Identity(NamedTuple):
    node_id: str
    boot_id: str
    seq: int


def stored(database: Path) -> set[Identity]:
    """Return the snapshots, fresh or sealed, of a sound database without a log."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = raw.execute("SELECT node_id, boot_id, seq FROM snapshots JOIN boots USING (boot)")
        found = [Identity(*row) for row in rows]
        chunks = raw.execute("SELECT node_id, boot_id, body FROM chunks JOIN boots USING (boot)")
        for node_id, boot_id, body in chunks:
            with suppress(DamagedError):
                seqs = decode_columns(body).seq.tolist()
                found += [Identity(node_id, boot_id, seq) for seq in seqs]
    assert len(found) == len(set(found))
    return set(found)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


class Folder:
    """A data folder, with a way to change its database behind the collector's back."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.database = data / "fleet.db"

    def execute(self, sql: str, *parameters: object) -> None:
        with closing(sqlite3.connect(self.database, isolation_level=None)) as raw:
            raw.execute(sql, parameters)


def push_some(collector: CollectorProcess, node_id: str, snapshots: list[dict[str, Any]]) -> None:
    with collector.client(collector.mint(node_id=node_id)) as client:
        reply = client.replay(node_id, snapshots)
        assert reply.status == 200, reply
        assert reply.json()["accepted"] == len(snapshots)
