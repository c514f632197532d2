"""Slow-changing facts of this machine: the ``host`` of a snapshot."""

from __future__ import annotations

import math
import platform
import sys
from collections.abc import Callable
from typing import Final

import psutil

from forge_agent.sampling import container, memory
from forge_shared import __version__

_FACT_LENGTH: Final = 256
_PLATFORMS: Final = {"win32": "windows", "cygwin": "windows"}


def gather(*, boot_time_ms: int, cpu_model: str, interval_s: int) -> dict[str, str | int]:
    """Return the fields of forge_shared.messages.Host that are known; takes about 0.2 ms."""
    facts: dict[str, str | int] = {
        "hostname": _text(platform.node()),
        "os": _text(_os_name()),
        "platform": _PLATFORMS.get(sys.platform, sys.platform.rstrip("0123456789")),
        "kernel": _text(platform.release()),
        "arch": _text(platform.machine()),
        "cpu_model": _text(cpu_model),
        "cpu_cores": _cores(),
        "mem_total_bytes": int(_known(memory.total_bytes)),
        "boot_time": boot_time_ms,
        "agent_version": __version__,
        "interval_s": interval_s,
    }
    return {name: value for name, value in facts.items() if value}


def boot_time_ms() -> int:
    """Return when this machine started, in Unix ms; 0 where that is hidden from us."""
    return int(_known(psutil.boot_time) * 1000)


def _cores() -> int:
    """Return how many cores this machine has, or how many its container may keep busy."""
    cores = psutil.cpu_count() or 0
    limit = container.here().cpu(cores)
    return math.ceil(limit.cores) if limit else cores


def _known(read: Callable[[], float]) -> float:
    """Return a fact, or 0: no fact is worth the whole agent."""
    try:
        return read()
    except (OSError, RuntimeError, ValueError, psutil.Error):
        return 0


def _os_name() -> str:
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    if sys.platform == "win32":
        return f"Windows {platform.release()}"
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def _text(fact: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in fact)[:_FACT_LENGTH]
