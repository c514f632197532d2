"""load.*, proc.count and uptime.s."""

from __future__ import annotations

import os
import sys
import time

import psutil

from forge_agent.core.rates import Reading, saturating


def read() -> Reading:
    gauges: dict[str, float] = {"proc.count": len(psutil.pids()), "uptime.s": _uptime_s()}
    if hasattr(os, "getloadavg"):  # Windows has no such figure, psutil would make one up
        gauges["load.1m"], gauges["load.5m"], gauges["load.15m"] = os.getloadavg()
    return Reading(gauges)


def slept_s() -> float:
    """Return for how long this machine has been suspended in all; 0 where it does not tell."""
    if sys.platform == "win32":
        return time.monotonic() - _awake_s_on_windows()
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC_RAW) - time.clock_gettime(
            time.CLOCK_UPTIME_RAW
        )
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    return 0.0


def _awake_s_on_windows() -> float:
    """Return a clock that stands still in suspend, which Python's own does not there."""
    import ctypes  # noqa: PLC0415 half a MB that is of no use elsewhere

    ticks = ctypes.c_ulonglong()
    ctypes.windll.kernel32.QueryUnbiasedInterruptTime(ctypes.byref(ticks))  # type: ignore[attr-defined,unused-ignore]
    return ticks.value / 10_000_000


def _uptime_s() -> float:
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return saturating(time.time(), psutil.boot_time())
