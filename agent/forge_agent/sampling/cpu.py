"""cpu.*: time the processors spent, as shares of all the time they had."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, Final

import psutil

from forge_agent.core import values
from forge_agent.core.rates import Reading
from forge_agent.sampling import container

_ONLINE: Final = Path("/sys/devices/system/cpu/online")
# Of more, Windows tells those of the group that we happen to run in, and psutil up to 7.2 what
# was in its memory before for the others (psutil #2972).
_CORES_OF_A_GROUP: Final = 64


class Cpu:
    """Differences of cpu_times are taken by us: psutil's own percentages keep their state by
    thread, and are 0 the first time."""

    def __init__(self) -> None:
        self._cores = ""
        self._names: list[str] = []
        self._read_s = 0.0
        self._allowed_s = 0.0

    def read(self) -> Reading:
        total = psutil.cpu_times()
        whole, busy = _whole(total), _busy(total)
        shares = {
            "cpu.pct": (busy, whole),
            "cpu.user_pct": (total.user + _of(total, "nice"), whole),
            "cpu.system_pct": (total.system + _interrupts(total), whole),
        }
        if hasattr(total, "iowait"):
            shares["cpu.iowait_pct"] = (total.iowait, whole)
        cores = psutil.cpu_times(percpu=True)
        self._use_of_a_container(len(cores), shares)
        if sys.platform != "win32" or len(cores) <= _CORES_OF_A_GROUP:
            for name, times in zip(self._names_of(len(cores)), cores, strict=True):
                shares[values.key("cpu.core_pct", name)] = (_busy(times), _whole(times))
        return Reading(shares=shares)

    def _use_of_a_container(self, cores: int, shares: dict[str, tuple[float, float]]) -> None:
        """Where a container may use less than the machine: shares of what it may use."""
        now_s = time.monotonic()
        elapsed_s, self._read_s = now_s - self._read_s, now_s
        limit = container.here().cpu(cores)
        if limit is None:
            return
        # Summed up here, so that a limit that is changed counts from now on.
        self._allowed_s += limit.cores * elapsed_s
        shares["cpu.pct"] = (limit.used_s, self._allowed_s)
        shares["cpu.user_pct"] = (limit.user_s, self._allowed_s)
        shares["cpu.system_pct"] = (limit.system_s, self._allowed_s)
        shares.pop("cpu.iowait_pct", None)  # nobody's in particular

    def _names_of(self, count: int) -> list[str]:
        """Return the cores' numbers: psutil lists those that are online, without saying which."""
        online = online_cores()
        if online != self._cores or len(self._names) != count:
            self._cores = online
            self._names = numbers(online)
            if len(self._names) != count:  # told of another view than the times: LXC
                self._names = [str(number) for number in range(count)]
        return self._names


def online_cores() -> str:
    try:
        return _ONLINE.read_text(encoding="ascii")
    except OSError:
        return ""


def numbers(listed: str) -> list[str]:
    """Return what a list such as ``0-2,5`` names."""
    names: list[str] = []
    for part in listed.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (last or first).isdigit():
            names.extend(str(number) for number in range(int(first), int(last or first) + 1))
    return names


def _busy(times: Any) -> float:
    """Seconds spent on anything. Guests' time is within user; time stolen by a hypervisor counts,
    since the machine did not have it."""
    busy: float = times.user + times.system
    return busy + _of(times, "nice") + _of(times, "steal") + _interrupts(times)


def _interrupts(times: Any) -> float:
    """Windows' are within system, by whatever name they are told."""
    if sys.platform == "win32":
        return 0.0
    return _of(times, "irq") + _of(times, "softirq")


def _whole(times: Any) -> float:
    whole: float = _busy(times) + times.idle + _of(times, "iowait")
    return whole


def _of(times: Any, name: str) -> float:
    """Return a field that not every system has."""
    return getattr(times, name, 0.0)
