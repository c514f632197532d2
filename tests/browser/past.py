"""Machines with a past, for the pages that show it: replays through the real ingest."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Self

from tests.process import CollectorProcess

Values = Mapping[str, float]

_STEP_S = 5
_LINES_AT_ONCE = 500


def now_s() -> float:
    return time.time_ns() / 1e9


def ordinary(at_s: float) -> dict[str, float]:
    """What a small machine might have measured at that time."""
    busy = 20 + 10 * ((at_s // 60) % 3)
    return {
        "cpu.pct": busy,
        "cpu.user_pct": busy - 5,
        "cpu.system_pct": 5,
        "cpu.iowait_pct": 1,
        **{f"cpu.core_pct/{core}": busy + core for core in range(4)},
        "load.1m": 1.5,
        "load.5m": 1.25,
        "load.15m": 1,
        "mem.pct": 50,
        "mem.used_bytes": 4 * 2**30,
        "mem.total_bytes": 8 * 2**30,
        "disk.pct//": 60,
        "disk.used_bytes//": 60e9,
        "disk.total_bytes//": 100e9,
        "disk.read_bytes_per_s/sda": 1000,
        "disk.write_bytes_per_s/sda": 5000,
        "net.rx_bytes_per_s/eth0": 3000,
        "net.tx_bytes_per_s/eth0": 1000,
        "temp.celsius/cpu": 45,
        "uptime.s": at_s - 1_000_000_000,
    }


class Machine:
    """A node that reports what it is told to."""

    def __init__(self, collector: CollectorProcess, node_id: str) -> None:
        self.id = node_id
        self._node = collector.client(collector.mint(node_id=node_id))
        self._boot_id = str(uuid.uuid4())
        self._seq = 0

    def _snapshot(self, at_s: float, values: Values) -> dict[str, object]:
        self._seq += 1
        return {
            "seq": self._seq,
            "boot_id": self._boot_id,
            "ts": int(at_s * 1000),
            "values": dict(values),
        }

    def push(self, values: Values | None = None, **host: object) -> int:
        """Report what is now; return when the collector wants to hear more, in seconds."""
        at_s = now_s()
        snapshot = self._snapshot(at_s, ordinary(at_s) if values is None else values)
        reply = self._node.push(self.id, {**snapshot, "host": host} if host else snapshot)
        assert reply.status == 200, reply
        interval_s: int = reply.json()["interval_s"]
        return interval_s

    def replay(self, minutes: float, measured: Callable[[float], Values | None] = ordinary) -> None:
        """Report the last minutes, every 5 s. ``measured`` says what, None where it was silent."""
        end_s = now_s() - 1
        count = int(minutes * 60 / _STEP_S)
        moments = [end_s - (count - number) * _STEP_S for number in range(count)]
        lines = [
            self._snapshot(at_s, values)
            for at_s in moments
            if (values := measured(at_s)) is not None
        ]
        for first in range(0, len(lines), _LINES_AT_ONCE):
            reply = self._node.replay(self.id, lines[first : first + _LINES_AT_ONCE])
            assert reply.status == 200, reply

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._node.close()
