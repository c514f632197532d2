"""mem.* and swap.*: used as `free` shows it, what is not available."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psutil

from forge_agent.core.rates import Reading, saturating
from forge_agent.sampling import container

_ARC: Final = Path("/proc/spl/kstat/zfs/arcstats")


def read() -> Reading:
    memory = psutil.virtual_memory()
    total: float = memory.total
    used = saturating(memory.total, memory.available + zfs_cache())
    limited = container.here().memory(memory.total)
    if limited is not None:
        total, used = limited
    gauges: dict[str, float] = {
        "mem.total_bytes": total,
        "mem.used_bytes": used,
        "mem.available_bytes": saturating(total, used),
    }
    if total:
        gauges["mem.pct"] = 100 * used / total
    return Reading({**gauges, **_swap(ours=limited is not None)})


def total_bytes() -> int:
    """Return the machine's memory, or its container's."""
    total: int = psutil.virtual_memory().total
    limited = container.here().memory(total)
    return limited.total if limited else total


def _swap(*, ours: bool) -> dict[str, float]:
    swap = psutil.swap_memory()
    # Windows once told more in use than there is (psutil #2074).
    total, used = swap.total, min(swap.used, swap.total)
    limited = container.here().swap(total) if ours else None
    if limited is not None:
        total, used = limited
    gauges: dict[str, float] = {"swap.total_bytes": total, "swap.used_bytes": used}
    if total:
        gauges["swap.pct"] = 100 * used / total
    return gauges


def zfs_cache(arcstats: Path = _ARC) -> int:
    """Return the bytes of ZFS's cache that make room when they are needed.

    The kernel counts them as used, though they are what file cache is to other file systems. An
    LXC container sees the host's cache here, and none of it in its own /proc/meminfo.
    """
    if container.here().own_meminfo:
        return 0
    try:
        lines = arcstats.read_text(encoding="ascii").splitlines()
    except OSError:  # no ZFS
        return 0
    rows = (line.split() for line in lines)
    told = {row[0]: int(row[2]) for row in rows if len(row) == 3 and row[0] in {"size", "c_min"}}
    return int(saturating(told.get("size", 0), told.get("c_min", 0)))
