"""load.*, proc.count and uptime.s."""

from __future__ import annotations

import os
import time

import psutil

from forge_agent.core.rates import Reading, saturating


def read() -> Reading:
    gauges: dict[str, float] = {"proc.count": len(psutil.pids()), "uptime.s": _uptime_s()}
    if hasattr(os, "getloadavg"):  # Windows has no such figure, psutil would make one up
        gauges["load.1m"], gauges["load.5m"], gauges["load.15m"] = os.getloadavg()
    return Reading(gauges)


def _uptime_s() -> float:
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return saturating(time.time(), psutil.boot_time())
