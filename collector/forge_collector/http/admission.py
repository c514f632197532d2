"""Letting in what can wait, so fast and no faster, for the sake of what cannot."""

from __future__ import annotations

import math
from typing import Final

_SHORTEST_WAIT_S: Final = 2.0
_LONGEST_WAIT_S: Final = 300.0  # agents stay away no longer than this, whatever they are told
_BURST_S: Final = 1.0
_RATE_OVER_S: Final = 10.0
_LARGE: Final = 512 * 1024
_SMALLEST: Final = 16 * 1024  # what any request takes that is let in, however little it brings
# So many come for each that can be let in: fewer would leave room unused.
_CALLERS_A_PLACE: Final = 1.5
_GIVEN_UP_MS: Final = 600_000


class Admission:
    """Admits requests at ``bytes_per_s`` on average, ``bytes_at_once`` at a time and one of each
    caller.

    Whoever is refused is told how long to stay away: so long that those who wait come about as fast
    as they can be let in. Pure: times are given, in ms of any clock.
    """

    def __init__(self, *, bytes_per_s: float, bytes_at_once: int) -> None:
        self._bytes_per_ms = bytes_per_s / 1000
        self._most = bytes_per_s * _BURST_S
        self._left = self._most
        self._bytes_at_once = bytes_at_once
        self._inside: dict[str, int] = {}
        self._bytes_inside = 0
        self._waiting: dict[str, int] = {}  # since when, who was refused longest ago first
        self._at_ms = 0
        self._admitted_per_s = 0.0  # lately
        self._least_per_s = bytes_per_s / _LARGE

    @property
    def inside(self) -> int:
        return len(self._inside)

    def enter(self, caller: str, size: int, now_ms: int) -> float | None:
        """Admit a request of this many bytes and return None; or return the seconds after which it
        may be tried again."""
        self._let_time_pass(now_ms)
        self._waiting.pop(caller, None)
        is_full = self._left <= 0 or self._bytes_inside >= self._bytes_at_once
        if is_full or caller in self._inside:
            self._waiting[caller] = now_ms
            return self._wait_s()
        size = max(size, _SMALLEST)
        self._inside[caller] = size
        self._bytes_inside += size
        # One may take more than there is left; those after it wait the longer.
        self._left -= size
        self._admitted_per_s += 1 / _RATE_OVER_S
        return None

    def leave(self, caller: str) -> None:
        self._bytes_inside -= self._inside.pop(caller)

    def _wait_s(self) -> float:
        per_s = _CALLERS_A_PLACE * max(self._least_per_s, self._admitted_per_s)
        wait_s = len(self._waiting) / per_s
        return min(_LONGEST_WAIT_S, max(_SHORTEST_WAIT_S, wait_s))

    def _let_time_pass(self, now_ms: int) -> None:
        elapsed_ms = max(0, now_ms - self._at_ms)
        self._at_ms = now_ms
        self._left = min(self._most, self._left + elapsed_ms * self._bytes_per_ms)
        self._admitted_per_s *= math.exp(-elapsed_ms / 1000 / _RATE_OVER_S)
        while self._waiting:
            caller, since_ms = next(iter(self._waiting.items()))
            if since_ms > now_ms - _GIVEN_UP_MS:
                break
            del self._waiting[caller]
