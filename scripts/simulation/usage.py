"""What processes use: CPU and memory, of the simulator and of the collector it drives."""

from __future__ import annotations

import time
from typing import Protocol

import psutil
from msgspec import Struct

from scripts.simulation.admin import Admin, AdminError


class Usage(Struct):
    """CPU seconds since the process started, resident bytes, and when that was (monotonic)."""

    cpu_s: float
    rss_bytes: int
    at: float


class Share(Struct):
    """What a process used between two moments. ``cpu_share``: 1.0 is one core."""

    cpu_s: float
    cpu_share: float
    rss_bytes: int
    rss_bytes_before: int


class Meter(Protocol):
    """``is_here``: what it measures runs on this machine."""

    is_here: bool

    async def read(self) -> Usage | None:
        """Return the usage now; None when the process is gone, or does not tell."""


class ProcessMeter:
    """A process of this machine."""

    is_here = True

    def __init__(self, pid: int | None = None) -> None:
        self._process = psutil.Process(pid)

    async def read(self) -> Usage | None:
        try:
            with self._process.oneshot():
                times, memory = self._process.cpu_times(), self._process.memory_info()
        except psutil.Error:
            return None
        return Usage(times.user + times.system, memory.rss, time.monotonic())


class MetricsMeter:
    """A collector somewhere, by what it tells about itself on /metrics (on Linux only)."""

    is_here = False

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    async def read(self) -> Usage | None:
        try:
            figures = await self._admin.metrics()
        except AdminError:
            return None
        if "process_cpu_seconds_total" not in figures:
            return None
        return Usage(
            figures["process_cpu_seconds_total"],
            int(figures["process_resident_memory_bytes"]),
            time.monotonic(),
        )


def machine_cpu_s() -> float:
    """Return the CPU seconds that all of this machine's processes used since it started."""
    times = psutil.cpu_times()
    return times.user + times.system + getattr(times, "nice", 0.0)


def between(before: Usage | None, after: Usage | None) -> Share | None:
    if before is None or after is None:
        return None
    cpu_s = after.cpu_s - before.cpu_s
    return Share(cpu_s, cpu_s / max(after.at - before.at, 1e-9), after.rss_bytes, before.rss_bytes)
