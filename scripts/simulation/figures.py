"""What a simulated machine measures: about 40 figures that move as a real machine's do.

It must cost far less than what the collector does with it, so each machine's figures are one byte
template, filled once a push, and noise comes from a table that the whole fleet shares.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from typing import Final

from forge_shared import metrics
from scripts.simulation.machines import GIB, Machine

_DAY_S: Final = 86_400.0
_NOISE_LENGTH: Final = 8192
_LONGEST_SLICE: Final = 64
_NOISE_STRIDE: Final = 67
_BURST_EVERY_S: Final = 180.0
_LOAD_TERMS_S: Final = (60.0, 300.0, 900.0)
_NIC_BYTES_PER_S: Final = 40e6
_DISK_BYTES_PER_S: Final = 60e6
_BYTES_PER_IO: Final = 24_000.0
_FULL: Final = 0.97
_AFTER_CLEANING: Final = 0.6

# Percent by tenths, clamped: index 0 stands for -50 %, so that noise needs no comparison.
_BELOW_ZERO: Final = 500
# A core's, by halves.
_PERCENT: Final = tuple(min(100.0, max(0.0, (tenths // 5) / 2)) for tenths in range(-500, 1501))

Numbers = tuple[float, ...]


class Noise:
    """Uniform draws from -1 to 1, made once and read in slices from moving places."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  figures, not secrets
        self._table = [self.random.uniform(-1, 1) for _ in range(_NOISE_LENGTH)]
        self._at = 0

    def take(self, count: int) -> list[float]:
        self._at = (self._at + _NOISE_STRIDE) % (_NOISE_LENGTH - _LONGEST_SLICE)
        return self._table[self._at : self._at + count]


class Figures:
    """One machine's figures; ``render`` moves them on to a time and returns them as JSON."""

    def __init__(self, machine: Machine, noise: Noise, now_s: float, up_s: float) -> None:
        family, draw = machine.family, noise.random
        self._family = family
        self._noise = noise
        self._at_s = now_s
        self._boot_s = now_s - up_s
        keys = _keys(machine)
        self.count = len(keys)
        self._template = _template(keys)
        self._usual_busy = family.busy * draw.uniform(0.6, 1.4)
        self._day_offset_s = draw.uniform(-2, 2) * 3600
        self._drift = draw.uniform(-0.1, 0.1)
        self._burst = 0.0
        self._loads = [self._usual_busy * family.cores] * len(_LOAD_TERMS_S)
        self._memory_usual = draw.uniform(0.25, 0.75)
        self._memory_drift = 0.0
        self._swap_share = draw.uniform(0, 0.2)
        self._filled = [draw.uniform(0.15, 0.92) for _ in family.mounts]
        self._processes = draw.randint(90, 420)
        self._charge = draw.uniform(30, 100)
        self._is_plugged_in = draw.random() < 0.5

    def render(self, now_s: float) -> bytes:
        """Return the inside of the JSON object ``values`` at this Unix time."""
        elapsed_s = max(0.0, now_s - self._at_s)
        self._at_s = now_s
        busy = self._move_busy(elapsed_s)
        return self._template % (
            *self._cpu(busy),
            *self._load(busy, elapsed_s),
            *self._memory(busy),
            *self._swap(),
            *self._file_systems(elapsed_s),
            *self._disk(busy),
            *self._network(busy),
            *self._temperatures(busy),
            *self._battery(elapsed_s),
            self._processes + 20 * busy + 3 * self._noise.take(1)[0],
            now_s - self._boot_s,
            0,
            0,
        )

    def _move_busy(self, elapsed_s: float) -> float:
        """Move and return how busy the machine is, 0 to 1: its day, a slow drift, and bursts."""
        draw = self._noise.random.random
        day = math.sin((self._at_s + self._day_offset_s) / _DAY_S * math.tau)
        self._drift += (draw() - 0.5) * 0.05 - self._drift * 0.05
        self._burst *= 0.7
        if draw() < elapsed_s / _BURST_EVERY_S:
            self._burst = draw() * 0.8
        busy = self._usual_busy * (1 + 0.5 * day) + self._drift + self._burst
        return min(1.0, max(0.01, busy))

    def _cpu(self, busy: float) -> Numbers:
        mean, spread = 1000 * busy + _BELOW_ZERO, 120 + 300 * busy * (1 - busy)
        draws = self._noise.take(self._family.cores)
        cores = [_PERCENT[int(mean + spread * draw)] for draw in draws]
        total = sum(cores) / len(cores)
        if self._family.system.has_iowait:
            return total, total * 0.68, total * 0.26, total * 0.06, *cores
        return total, total * 0.7, total * 0.3, *cores

    def _load(self, busy: float, elapsed_s: float) -> Numbers:
        running = busy * self._family.cores * 1.1
        self._loads = [
            load + (running - load) * elapsed_s / (term_s + elapsed_s)
            for load, term_s in zip(self._loads, _LOAD_TERMS_S, strict=True)
        ]
        return tuple(self._loads)

    def _memory(self, busy: float) -> Numbers:
        self._memory_drift += (self._noise.random.random() - 0.5) * 0.01
        self._memory_drift *= 0.99
        total = self._family.memory_gib * GIB
        share = min(_FULL, self._memory_usual + self._memory_drift + 0.15 * busy)
        used = _whole_mib(total * share)
        return total, used, total - used, 100 * used / total

    def _swap(self) -> Numbers:
        total = _swap_bytes(self._family.memory_gib)
        used = _whole_mib(total * self._swap_share)
        return total, used, 100 * used / total

    def _file_systems(self, elapsed_s: float) -> Numbers:
        growth = elapsed_s * 20_000 * (1 + self._noise.take(1)[0])
        figures: list[float] = []
        for index, (_, gib) in enumerate(self._family.mounts):
            total = gib * GIB
            filled = self._filled[index] + growth / total
            self._filled[index] = filled if filled < _FULL else _AFTER_CLEANING
            used = _whole_mib(total * self._filled[index])
            figures += (total, used, 100 * used / total)
        return tuple(figures)

    def _disk(self, busy: float) -> Numbers:
        read, write = self._noise.take(2)
        read_bytes = _DISK_BYTES_PER_S * busy * busy * (1 + read) * 0.5
        write_bytes = _DISK_BYTES_PER_S * busy * (1 + write) * 0.1
        return (
            metrics.leading(int(read_bytes)),
            metrics.leading(int(write_bytes)),
            metrics.leading(int(10 * read_bytes / _BYTES_PER_IO)) / 10,
            metrics.leading(int(10 * write_bytes / _BYTES_PER_IO)) / 10,
        )

    def _network(self, busy: float) -> Numbers:
        received, sent = self._noise.take(2)
        return (
            metrics.leading(int(_NIC_BYTES_PER_S * busy * busy * (1.1 + received) + 900)),
            metrics.leading(int(_NIC_BYTES_PER_S * busy * busy * (1.1 + sent) * 0.4 + 600)),
        )

    def _temperatures(self, busy: float) -> Numbers:
        sensors = len(self._family.system.sensors)
        draws = self._noise.take(sensors)
        return tuple(round(2 * (34 + 40 * busy + draw)) / 2 for draw in draws)

    def _battery(self, elapsed_s: float) -> Numbers:
        if not self._family.on_battery:
            return ()
        self._charge += elapsed_s / 60 * (1.2 if self._is_plugged_in else -0.5)
        if not 15 < self._charge < 100:
            self._is_plugged_in = self._charge <= 15
            self._charge = min(100.0, max(15.0, self._charge))
        return self._charge, self._is_plugged_in


def _template(keys: Iterable[str]) -> bytes:
    """Return the values as a byte template, its places in the order ``render`` fills them."""
    return ",".join(f'"{_escaped(key)}":{_place(key)}' for key in keys).encode()


def _keys(machine: Machine) -> list[str]:
    family, system = machine.family, machine.family.system
    keys = ["cpu.pct", "cpu.user_pct", "cpu.system_pct"]
    keys += ["cpu.iowait_pct"] if system.has_iowait else []
    keys += [f"cpu.core_pct/{core}" for core in range(family.cores)]
    keys += ["load.1m", "load.5m", "load.15m"]
    keys += ["mem.total_bytes", "mem.used_bytes", "mem.available_bytes", "mem.pct"]
    keys += ["swap.total_bytes", "swap.used_bytes", "swap.pct"]
    for mount, _ in family.mounts:
        keys += [f"disk.{figure}/{mount}" for figure in ("total_bytes", "used_bytes", "pct")]
    keys += [f"disk.{way}_bytes_per_s/{system.device}" for way in ("read", "write")]
    keys += [f"disk.{way}_per_s/{system.device}" for way in ("reads", "writes")]
    keys += [f"net.{way}_bytes_per_s/{system.interface}" for way in ("rx", "tx")]
    keys += [f"temp.celsius/{sensor}" for sensor in system.sensors]
    keys += ["battery.pct", "battery.on_ac"] if family.on_battery else []
    return [*keys, "proc.count", "uptime.s", "agent.spool_bytes", "agent.dropped_snapshots"]


def _place(key: str) -> str:
    """Return the conversion that writes a value at its metric's resolution."""
    step = metrics.METRICS[metrics.split(key)[0]].resolution
    if step >= 1:
        return "%d"
    return "%.2f" if step < 0.1 else "%.1f"


def _escaped(key: str) -> str:
    return key.replace("\\", "\\\\").replace("%", "%%")


def _whole_mib(size: float) -> int:
    return int(size) // metrics.MIB * metrics.MIB


def _swap_bytes(memory_gib: int) -> int:
    return max(1, memory_gib // 4) * GIB
