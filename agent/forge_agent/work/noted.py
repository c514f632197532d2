"""What a running worker has noted about itself in STATE/work/status.json: read by others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple, get_origin, get_type_hints

from forge_agent import lock
from forge_agent.standing import StatusFile
from forge_agent.work import clock, owner

LOCK: Final = "lock"
_FILE_NAME: Final = "status.json"


class Note(NamedTuple):
    """Times in Unix ms. ``state``: ready, paused, draining; ``plugins``: with their versions;
    ``unavailable``: other plugins, and what keeps them from their work; ``slots``: for how many
    jobs of each class there is room at all; ``jobs``: what runs, each with ``id``, ``type``,
    ``started_at`` and perhaps ``fraction``; ``goes_by``: which state of work.json."""

    pid: int
    worker_id: str
    noted_at: int
    state: str
    reason: str
    online: bool
    plugins: list[Any]
    unavailable: dict[str, Any]
    slots: dict[str, Any]
    jobs: list[Any]
    results_waiting: int
    goes_by: list[Any]


class Work(NamedTuple):
    """Whether work is on, None when its file cannot be used; what the worker does, None when none
    runs; and whether it goes by the owner's last word already."""

    enabled: bool | None
    worker: Note | None
    taken_up: bool


class NoteFile:
    """Where the worker writes its note."""

    def __init__(self, state_dir: Path) -> None:
        self._file = StatusFile(state_dir / owner.FOLDER)

    def write(self, note: Note) -> None:
        self._file.write({**note._asdict(), "noted_at": clock.wall_ms()})


def look(state_dir: Path, *, setting: bool) -> Work:
    """Look at how work stands; ``setting``: FORGE_WORK. Raises OSError when we may not."""
    stamp = owner.stamp(state_dir)
    try:
        said = owner.read(state_dir).enabled
    except owner.UnreadableError:
        return Work(None, None, taken_up=True)
    enabled = setting if said is None else said
    worker = read(state_dir) if is_running(state_dir) else None
    taken_up = not enabled if worker is None else worker.goes_by == stamp
    return Work(enabled, worker, taken_up)


def is_running(state_dir: Path) -> bool:
    """Tell whether a worker works on the folder; raises OSError when we may not look."""
    return lock.is_held(state_dir / owner.FOLDER / LOCK)


def read(state_dir: Path) -> Note | None:
    """Return what was noted last; None when there is nothing of use. Raises OSError when we may
    not read it."""
    try:
        found = json.loads((state_dir / owner.FOLDER / _FILE_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    values: dict[str, Any] = {name: found.get(name) for name in Note._fields}
    kinds = {name: get_origin(kind) or kind for name, kind in get_type_hints(Note).items()}
    if any(not isinstance(values[name], kinds[name]) for name in values):
        return None
    jobs = [job for job in values["jobs"] if isinstance(job, dict)]
    return Note(**{**values, "plugins": [str(one) for one in values["plugins"]], "jobs": jobs})
