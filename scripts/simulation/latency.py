"""Latencies by the million, in a fixed amount of memory, to better than one percent."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

_PRECISION_BITS: Final = 8  # of a figure's leading bits are kept: 1/128 at worst
_STEPS: Final = 1 << _PRECISION_BITS
_LARGEST_SHIFT: Final = 32  # 12 days, in µs


class Percentiles(Struct):
    """Milliseconds."""

    p50: float
    p90: float
    p99: float
    max: float


class Latencies:
    """A histogram whose buckets widen with the latency."""

    def __init__(self) -> None:
        self._counts = [0] * (_STEPS * (_LARGEST_SHIFT + 1))
        self._largest_us = 0
        self.count = 0

    def add(self, seconds: float) -> None:
        us = int(seconds * 1e6) if seconds > 0 else 0
        shift = max(0, us.bit_length() - _PRECISION_BITS)
        self._counts[shift * _STEPS + (us >> shift)] += 1
        self._largest_us = max(self._largest_us, us)
        self.count += 1

    def percentile_ms(self, percent: float) -> float:
        """Return the latency that this share of all stays at or below (nearest rank)."""
        wanted = max(1.0, self.count * percent / 100)
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if seen >= wanted:
                return min(_upper_us(bucket), self._largest_us) / 1000
        return 0.0

    def percentiles(self) -> Percentiles:
        return Percentiles(
            p50=self.percentile_ms(50),
            p90=self.percentile_ms(90),
            p99=self.percentile_ms(99),
            max=self._largest_us / 1000,
        )


def _upper_us(bucket: int) -> int:
    """Return the largest latency that falls into a bucket."""
    shift, step = divmod(bucket, _STEPS)
    return ((step + 1) << shift) - 1
