"""Rates from counters, and shares of a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

# A machine that slept shows a wall clock further on than the counters: the monotonic clock stands
# still with them, except on Windows. Where the system tells how long it slept, that is heard as
# well: a wall clock that is set right on waking can hide it. What time servers correct in one step
# is mostly below this.
CLOCKS_AGREE_WITHIN_S: Final = 1.0

_NONE: Final[Mapping[str, float]] = {}
_NO_SHARES: Final[Mapping[str, tuple[float, float]]] = {}


class Reading(NamedTuple):
    """What one family of sensors shows at one moment; all keys are ``metric[/instance]``.

    ``gauges``: levels, sent as they are. ``totals``: counters, whose growth per second is sent.
    ``shares``: (part, whole) counters; 100 x growth of the part / growth of the whole is sent.
    """

    gauges: Mapping[str, float] = _NONE
    totals: Mapping[str, float] = _NONE
    shares: Mapping[str, tuple[float, float]] = _NO_SHARES


class Baseline(NamedTuple):
    """Counters and when they were read: what the next reading is compared with.

    ``slept_s``: for how long the machine has been suspended since it started.
    """

    wall_ms: int
    monotonic_s: float
    reading: Reading
    slept_s: float = 0.0


def rates(before: Baseline, after: Baseline) -> dict[str, float]:
    """Return the values of every counter that both readings hold and that did not go backwards.

    Empty when the two clocks disagree about the time between: the machine was suspended, or its
    clock was set.
    """
    elapsed_s = after.monotonic_s - before.monotonic_s
    wall_ahead_s = (after.wall_ms - before.wall_ms) / 1000 - elapsed_s
    slept_s = after.slept_s - before.slept_s
    if elapsed_s <= 0 or max(abs(wall_ahead_s), slept_s) > CLOCKS_AGREE_WITHIN_S:
        return {}
    values: dict[str, float] = {}
    for key, total in after.reading.totals.items():
        growth = total - before.reading.totals.get(key, total + 1)
        # A counter that went backwards was reset, ran over, or is another device's by the same
        # name. Such a device begins at 0: where it is further on already, its rate is too low, and
        # never more than what it did.
        if growth >= 0:
            values[key] = growth / elapsed_s
    for key, (part, whole) in after.reading.shares.items():
        earlier = before.reading.shares.get(key)
        if earlier is not None and part >= earlier[0] and whole > earlier[1]:
            values[key] = min(100.0, 100 * (part - earlier[0]) / (whole - earlier[1]))
    return values


def saturating(minuend: float, subtrahend: float) -> float:
    """Subtract sizes read at slightly different moments: never below zero."""
    return max(0, minuend - subtrahend)
