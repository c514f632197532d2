"""mem.* and swap.*: used as `free` shows it, what is not available."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import psutil

from forge_agent.core.rates import Reading, saturating

_CGROUPS: Final = Path("/sys/fs/cgroup")


class Limited(NamedTuple):
    """A container's memory, in bytes: its limit and what it uses beyond droppable file cache."""

    total: int
    used: int


def read() -> Reading:
    memory = psutil.virtual_memory()
    total: float = memory.total
    used = saturating(memory.total, memory.available)
    container = container_memory(_CGROUPS, memory.total)
    if container is not None:
        total, used = container
    gauges: dict[str, float] = {
        "mem.total_bytes": total,
        "mem.used_bytes": used,
        "mem.available_bytes": saturating(total, used),
    }
    if total:
        gauges["mem.pct"] = 100 * used / total
    return Reading({**gauges, **_swap()})


def total_bytes() -> int:
    """Return the machine's memory, or its container's."""
    total: int = psutil.virtual_memory().total
    container = container_memory(_CGROUPS, total)
    return container.total if container else total


def _swap() -> dict[str, float]:
    swap = psutil.swap_memory()
    gauges: dict[str, float] = {"swap.total_bytes": swap.total, "swap.used_bytes": swap.used}
    if swap.total:
        gauges["swap.pct"] = 100 * swap.used / swap.total
    return gauges


def container_memory(cgroups: Path, machine_total: int) -> Limited | None:
    """Return the limit of the container that we are in, if it has one below the machine's memory.

    /proc/meminfo shows the host's memory inside a container (psutil #2100). At the root of the
    cgroup tree there is a limit only within a container; the limit of our own service, further
    down, says nothing about the machine.
    """
    limit, current, inactive = _version_2(cgroups) or _version_1(cgroups) or (0, 0, 0)
    if not 0 < limit < machine_total:
        return None
    return Limited(limit, int(min(limit, saturating(current, inactive))))


def _version_2(root: Path) -> tuple[int, int, int] | None:
    limit = _number(root / "memory.max")
    current = _number(root / "memory.current")
    if limit is None or current is None:
        return None
    return limit, current, _stat(root / "memory.stat", "inactive_file")


def _version_1(root: Path) -> tuple[int, int, int] | None:
    limit = _number(root / "memory" / "memory.limit_in_bytes")
    current = _number(root / "memory" / "memory.usage_in_bytes")
    if limit is None or current is None:
        return None
    return limit, current, _stat(root / "memory" / "memory.stat", "total_inactive_file")


def _number(path: Path) -> int | None:
    """Read a file that holds one number; None for "max", and where there is no such file."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _stat(path: Path, name: str) -> int:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    rows = (line.split() for line in lines)
    return next((int(row[1]) for row in rows if len(row) == 2 and row[0] == name), 0)
