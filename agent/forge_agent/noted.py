"""What a running agent has noted about itself, and what waits in its spool: read by others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple, get_type_hints

from forge_agent import lock
from forge_agent.standing import FILE_NAME

_SPOOL_SAMPLE_BYTES: Final = 256 * 1024
_CONNECTIONS: Final = frozenset({"starting", "online", "offline", "refused"})


class Note(NamedTuple):
    """The fields of STATE/status.json; times in Unix ms."""

    version: str
    pid: int
    boot_id: str
    node_id: str
    url: str
    started_at: int
    noted_at: int
    connection: str
    reason: str
    since: int
    last_push_at: int | None
    spool_bytes: int
    dropped: int
    interval_s: int


class Spooled(NamedTuple):
    """What waits on disk. ``snapshots`` is an estimate; times in Unix ms, None when unknown."""

    bytes: int = 0
    snapshots: int = 0
    oldest_ts: int | None = None
    newest_ts: int | None = None


def read(state_dir: Path) -> Note | None:
    """Return what was noted last; None when there is nothing of use. Raises OSError when we may
    not read it."""
    try:
        found = json.loads((state_dir / FILE_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    return _checked(found)


def is_running(state_dir: Path) -> bool:
    """Tell whether an agent works on the folder; raises OSError when we may not look."""
    return lock.is_held(state_dir / "lock")


def spooled(state_dir: Path) -> Spooled:
    """Look into the spool; raises OSError when we may not."""
    folder = state_dir / "spool"
    try:
        segments = sorted(folder.glob("*.ndjson")) if folder.is_dir() else []
        sizes = {path: path.stat().st_size for path in segments}
    except FileNotFoundError:  # replayed at this moment
        return Spooled()
    held = [path for path in segments if sizes[path]]
    if not held:
        return Spooled()
    try:
        first, last = _head(held[0]), _tail(held[-1])
    except FileNotFoundError:
        return Spooled()
    total = sum(sizes.values())
    line_bytes = len(first) / max(1, first.count(b"\n"))
    return Spooled(
        bytes=total,
        snapshots=max(1, round(total / line_bytes)) if line_bytes else 0,
        oldest_ts=_ts(first.split(b"\n")[0]),
        newest_ts=_ts(last.rstrip(b"\n").rsplit(b"\n", 1)[-1]),
    )


def _checked(found: Any) -> Note | None:
    """Return a note whose fields have the types they should; others may have written the file."""
    if not isinstance(found, dict):
        return None
    values: dict[str, Any] = {name: found.get(name) for name in Note._fields}
    kinds = get_type_hints(Note)
    if any(
        isinstance(values[name], bool) or not isinstance(values[name], kinds[name])
        for name in values
    ):
        return None
    note = Note(**values)
    return note if note.connection in _CONNECTIONS else None


def _head(path: Path) -> bytes:
    with path.open("rb") as segment:
        return segment.read(_SPOOL_SAMPLE_BYTES)


def _tail(path: Path) -> bytes:
    with path.open("rb") as segment:
        size = segment.seek(0, 2)
        segment.seek(max(0, size - _SPOOL_SAMPLE_BYTES))
        return segment.read()


def _ts(line: bytes) -> int | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    ts = found.get("ts") if isinstance(found, dict) else None
    return ts if isinstance(ts, int) and not isinstance(ts, bool) else None
