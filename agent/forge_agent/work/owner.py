"""What the machine's owner allows: STATE/work.json, which `forge-agent work` writes."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from forge_agent import private_files
from forge_agent.core.owner_policy import Hours, Terms, When

FILE_NAME: Final = "work.json"
FOLDER: Final = "work"  # beside it: what the worker keeps
CLASSES: Final = ("cpu", "io", "llm")
USUAL_SLOTS: Final[Mapping[str, int]] = MappingProxyType({"cpu": 4, "io": 10, "llm": 1})
MOST_SLOTS: Final = 1024
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class UnreadableError(Exception):
    """The file is there, and is no use; the message says why."""


class Owner(NamedTuple):
    """``enabled``: None: the owner never said, and FORGE_WORK decides. ``grants``: what a plugin
    may have of what it asks for, by its name. ``trust_plugins``: run them where they cannot be kept
    from the agent's own files."""

    enabled: bool | None = None
    terms: Terms = Terms()
    slots: Mapping[str, int] = USUAL_SLOTS
    trust_plugins: bool = False
    grants: Mapping[str, list[str]] = MappingProxyType({})


def read(state_dir: Path) -> Owner:
    """Return what the owner allows; raises UnreadableError, or PermissionError when it is not ours
    to read."""
    try:
        content = (state_dir / FILE_NAME).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Owner()
    except PermissionError:
        raise
    except OSError as error:
        raise UnreadableError(error.strerror or type(error).__name__) from None
    try:
        return _owner(json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnreadableError(f"it is damaged ({error})") from None


def stamp(state_dir: Path) -> list[int]:
    """Return what is another once the file has changed; nothing where there is none."""
    try:
        found = (state_dir / FILE_NAME).stat()
    except OSError:
        return []
    return [found.st_ino, found.st_mtime_ns, found.st_size]


def write(state_dir: Path, owner: Owner) -> None:
    """Write the file, whole or not at all, for whoever the folder belongs to; raises OSError."""
    content = json.dumps(as_json(owner), indent=2).encode() + b"\n"
    # Under a name that nobody can have put a link at: the folder is the service's, and this may be
    # root. The rename takes the place of a link, and does not follow it.
    fd, draft = tempfile.mkstemp(dir=state_dir, prefix=f".{FILE_NAME}.")
    try:
        with os.fdopen(fd, "wb") as file:
            if os.name == "posix" and os.geteuid() == 0:
                folder = state_dir.stat()
                os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, state_dir / FILE_NAME)  # noqa: PTH105
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    private_files.sync_folder(state_dir)


def hours_of(text: str) -> Hours:
    """Read `20:00-07:00`; raises ValueError."""
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time of day: give it as 20:00-07:00")
    begin_h, begin_min, end_h, end_min = (int(part) for part in found.groups())
    return Hours(begin_h * 60 + begin_min, end_h * 60 + end_min)


def slots_of(text: str) -> dict[str, int]:
    """Read `cpu=4,io=10,llm=1`; what is not named has its usual number. Raises ValueError."""
    slots = dict(USUAL_SLOTS)
    for part in text.split(","):
        name, _, count = part.strip().partition("=")
        if name not in CLASSES or not count.isdecimal() or int(count) > MOST_SLOTS:
            raise ValueError(
                f"{part.strip()!r} is no number of slots: give them as cpu=4,io=10,llm=1"
            )
        slots[name] = int(count)
    return slots


def _owner(found: dict[str, Any]) -> Owner:
    usual = Terms()
    hours, paused_until = found.get("hours"), found.get("paused_until")
    terms = Terms(
        when=When(found.get("when", usual.when)),
        on_battery=bool(found.get("on_battery", usual.on_battery)),
        cpu_of_others_pct=_whole(found.get("cpu_of_others_pct", usual.cpu_of_others_pct), 100),
        free_memory_mib=_whole(found.get("free_memory_mib", usual.free_memory_mib), 2**30),
        hours=None if hours is None else hours_of(hours),
        paused_until=None if paused_until is None else _whole(paused_until, 2**53),
    )
    enabled = found.get("enabled")
    slots = {**USUAL_SLOTS, **found.get("slots", {})}
    return Owner(
        enabled=None if enabled is None else enabled is True,
        terms=terms,
        slots={name: _whole(slots[name], MOST_SLOTS) for name in CLASSES},
        trust_plugins=found.get("trust_plugins") is True,
        grants={
            str(name): [str(one) for one in granted]
            for name, granted in found.get("grants", {}).items()
        },
    )


def _whole(value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"{value!r} is no whole number up to {most}")
    return value


def as_json(owner: Owner) -> dict[str, Any]:
    terms = owner.terms
    return {
        "enabled": owner.enabled,
        "when": terms.when.value,
        "on_battery": terms.on_battery,
        "cpu_of_others_pct": terms.cpu_of_others_pct,
        "free_memory_mib": terms.free_memory_mib,
        "hours": None if terms.hours is None else str(terms.hours),
        "paused_until": terms.paused_until,
        "slots": dict(owner.slots),
        "trust_plugins": owner.trust_plugins,
        "grants": {name: list(granted) for name, granted in owner.grants.items()},
    }
