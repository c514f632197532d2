"""What a figure was measured on: told with every result."""

from __future__ import annotations

import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path

import psutil


def described() -> str:
    """Return the machine and the versions that matter, in one line."""
    return (
        f"{_cpu_model()}, {psutil.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB, "
        f"{platform.system()} {platform.release()}; Python {platform.python_version()}, "
        f"aiohttp {version('aiohttp')}, uvloop {version('uvloop')}, "
        f"SQLite {sqlite3.sqlite_version} (WAL, synchronous=FULL)"
    )


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown CPU"
