"""The clock that leases are held by: it never jumps, and goes on while the machine sleeps."""

from __future__ import annotations

import sys
import time


def awake_or_not_s() -> float:
    """Return seconds since some moment, those in suspend among them."""
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()  # that of Windows does


def wall_ms() -> int:
    return int(time.time() * 1000)
