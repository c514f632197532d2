"""The table of metrics: what is measured, in which unit, and how finely.

A value travels under a flat key, ``metric`` or ``metric/instance``: ``cpu.pct``,
``net.rx_bytes_per_s/eth0``, ``disk.pct//home`` (the instance begins after the first slash).
Adding a metric is one row here and one line in a sampler: the wire, the store, the charts and
the documentation follow from this table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple


class Kind(StrEnum):
    """How a value behaves over time."""

    GAUGE = "gauge"  # a level, read as it is
    RATE = "rate"  # a counter's growth per second, computed by the agent
    COUNTER = "counter"  # a total that only grows while its source lives


class Metric(NamedTuple):
    """One row of the table.

    ``resolution`` is the finest step that says something; agents round to it, and rates further
    to three leading digits or less (``leading``): what follows is noise, and costs storage.
    ``instance`` names what tells several values of one metric apart, or None.
    """

    name: str
    unit: str
    resolution: float
    kind: Kind
    title: str
    instance: str | None = None


MIB: Final = 1 << 20

_ROWS: Final = (
    Metric("cpu.pct", "%", 0.1, Kind.GAUGE, "CPU in use"),
    Metric("cpu.user_pct", "%", 0.1, Kind.GAUGE, "CPU in user code"),
    Metric("cpu.system_pct", "%", 0.1, Kind.GAUGE, "CPU in the kernel"),
    Metric("cpu.iowait_pct", "%", 0.1, Kind.GAUGE, "CPU waiting for I/O"),
    Metric("cpu.core_pct", "%", 0.5, Kind.GAUGE, "One core in use", "core"),
    Metric("load.1m", "tasks", 0.01, Kind.GAUGE, "Load, 1 minute"),
    Metric("load.5m", "tasks", 0.01, Kind.GAUGE, "Load, 5 minutes"),
    Metric("load.15m", "tasks", 0.01, Kind.GAUGE, "Load, 15 minutes"),
    Metric("mem.total_bytes", "B", 1, Kind.GAUGE, "Memory"),
    Metric("mem.used_bytes", "B", MIB, Kind.GAUGE, "Memory in use"),
    Metric("mem.available_bytes", "B", MIB, Kind.GAUGE, "Memory available"),
    Metric("mem.pct", "%", 0.1, Kind.GAUGE, "Memory in use"),
    Metric("swap.total_bytes", "B", 1, Kind.GAUGE, "Swap"),
    Metric("swap.used_bytes", "B", MIB, Kind.GAUGE, "Swap in use"),
    Metric("swap.pct", "%", 0.1, Kind.GAUGE, "Swap in use"),
    Metric("disk.total_bytes", "B", 1, Kind.GAUGE, "File system size", "mount"),
    Metric("disk.used_bytes", "B", MIB, Kind.GAUGE, "File system in use", "mount"),
    Metric("disk.pct", "%", 0.1, Kind.GAUGE, "File system in use", "mount"),
    Metric("disk.read_bytes_per_s", "B/s", 1, Kind.RATE, "Disk read", "device"),
    Metric("disk.write_bytes_per_s", "B/s", 1, Kind.RATE, "Disk written", "device"),
    Metric("disk.reads_per_s", "1/s", 0.1, Kind.RATE, "Disk reads", "device"),
    Metric("disk.writes_per_s", "1/s", 0.1, Kind.RATE, "Disk writes", "device"),
    Metric("net.rx_bytes_per_s", "B/s", 1, Kind.RATE, "Network received", "interface"),
    Metric("net.tx_bytes_per_s", "B/s", 1, Kind.RATE, "Network sent", "interface"),
    Metric("temp.celsius", "°C", 0.5, Kind.GAUGE, "Temperature", "sensor"),
    Metric("battery.pct", "%", 1, Kind.GAUGE, "Battery charge"),
    Metric("battery.on_ac", "0/1", 1, Kind.GAUGE, "On mains power"),
    Metric("gpu.pct", "%", 1, Kind.GAUGE, "GPU in use", "GPU"),
    Metric("gpu.mem_total_bytes", "B", 1, Kind.GAUGE, "GPU memory", "GPU"),
    Metric("gpu.mem_used_bytes", "B", MIB, Kind.GAUGE, "GPU memory in use", "GPU"),
    Metric("gpu.celsius", "°C", 1, Kind.GAUGE, "GPU temperature", "GPU"),
    Metric("gpu.watts", "W", 1, Kind.GAUGE, "GPU power", "GPU"),
    Metric("proc.count", "processes", 1, Kind.GAUGE, "Processes"),
    Metric("uptime.s", "s", 1, Kind.COUNTER, "Time since boot"),
    Metric("agent.spool_bytes", "B", 1, Kind.GAUGE, "Waiting in the agent's spool"),
    Metric("agent.dropped_snapshots", "snapshots", 1, Kind.COUNTER, "Snapshots the agent dropped"),
)

METRICS: Final[Mapping[str, Metric]] = {row.name: row for row in _ROWS}

# A name this table does not know (a newer agent's) is kept exactly as sent.
_UNKNOWN_RESOLUTION: Final = 1.0

MAX_KEY_LENGTH: Final = 192
_KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*(/[^\x00-\x1f\x7f-\x9f\u2028\u2029]+)?")


@lru_cache(maxsize=65_536)  # a fleet repeats the same few hundred keys 80,000 times a second
def split(key: str) -> tuple[str, str | None]:
    """Return (metric, instance) of a key; the instance is None where there is none."""
    name, slash, instance = key.partition("/")
    return name, instance if slash else None


@lru_cache(maxsize=65_536)  # as above
def resolution(key: str) -> float:
    """Return the resolution of a key's metric.

    Raises ValueError when the key is not a well-formed ``metric`` or ``metric/instance``.
    """
    if len(key) > MAX_KEY_LENGTH or not _KEY.fullmatch(key):
        raise ValueError(
            "a metric key is lower-case words joined by dots, then optionally a slash and an "
            f"instance without control characters, {MAX_KEY_LENGTH} characters at most"
        )
    metric = METRICS.get(split(key)[0])
    return metric.resolution if metric else _UNKNOWN_RESOLUTION


def leading(steps: int) -> int:
    """Return a rate, in whole steps, with the digits that say something: to within about 1 %.

    Below 100 it stays as it is. Above, the three leading digits are a multiple of 2 up to 200, of
    5 up to 500, and of 10 beyond.
    """
    if abs(steps) < 100:
        return steps
    unit = int(10 ** (len(str(abs(steps))) - 3))
    digits = abs(steps) / unit
    fineness = unit * (2 if digits < 200 else 5 if digits < 500 else 10)
    return round(steps / fineness) * fineness


def rounded(key: str, value: float) -> int | float:
    """Return the value at its metric's resolution; whole steps come back as int."""
    step = resolution(key)
    steps = round(value / step)
    metric = METRICS.get(split(key)[0])
    if metric is not None and metric.kind is Kind.RATE:
        steps = leading(steps)
    if step >= 1:
        return int(steps * step)
    # 0.1 has no exact double: dividing by its exact reciprocal gives the shortest decimal.
    return steps / round(1 / step)
