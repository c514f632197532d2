"""cpu.*: time the processors spent, as shares of all the time they had."""

from __future__ import annotations

from typing import Any

import psutil

from forge_agent.core import values
from forge_agent.core.rates import Reading


def read() -> Reading:
    """Differences of cpu_times are taken by us: psutil's own percentages keep their state by
    thread, and are 0 the first time."""
    total = psutil.cpu_times()
    whole, busy = _whole(total), _busy(total)
    shares = {
        "cpu.pct": (busy, whole),
        "cpu.user_pct": (total.user + _of(total, "nice"), whole),
        "cpu.system_pct": (
            total.system + _of(total, "irq") + _of(total, "softirq"),
            whole,
        ),
    }
    if hasattr(total, "iowait"):
        shares["cpu.iowait_pct"] = (total.iowait, whole)
    for core, times in enumerate(psutil.cpu_times(percpu=True)):
        shares[values.key("cpu.core_pct", str(core))] = (_busy(times), _whole(times))
    return Reading(shares=shares)


def _busy(times: Any) -> float:
    """Seconds spent on anything. Guests' time is within user; on Windows interrupts' is within
    system; time stolen by a hypervisor counts, since the machine did not have it."""
    busy: float = times.user + times.system
    return busy + sum(_of(times, name) for name in ("nice", "irq", "softirq", "steal"))


def _whole(times: Any) -> float:
    whole: float = _busy(times) + times.idle + _of(times, "iowait")
    return whole


def _of(times: Any, name: str) -> float:
    """Return a field that not every system has."""
    return getattr(times, name, 0.0)
