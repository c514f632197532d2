"""The two clocks the collector goes by, so that tests can bring their own."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def now_ms(self) -> int:
        """Unix time: what is stored and shown. It may jump."""

    def monotonic_ms(self) -> int:
        """Time since some start: what silences are measured with. It never jumps."""


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000
