"""When each node pushes, and which ones fall silent. Seconds since the start; no clock in here."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

_LAST_SILENT_S: Final = 120.0


class Due(NamedTuple):
    at_s: float
    node: int


def phase(node_id: str) -> float:
    """Return where in the interval a node pushes, 0 to 1: spread by a hash, as agents do it."""
    return zlib.crc32(node_id.encode()) / 2**32


class Schedule:
    """Every node once an interval, for ever; hands out what is due, in order, each push once."""

    def __init__(self, phases: Sequence[float], interval_s: float) -> None:
        self._interval_s = interval_s
        self._round = sorted(Due(phase * interval_s, node) for node, phase in enumerate(phases))
        self._handed_out = 0

    def due(self, elapsed_s: float) -> Iterator[Due]:
        """Yield what has become due and was not handed out before."""
        while (due := self._next()).at_s <= elapsed_s:
            self._handed_out += 1
            yield due

    def next_at_s(self) -> float:
        return self._next().at_s

    def _next(self) -> Due:
        rounds, position = divmod(self._handed_out, len(self._round))
        first = self._round[position]
        return Due(rounds * self._interval_s + first.at_s, first.node)


def silences(count: int, share: float, seconds: float, draw: random.Random) -> dict[int, float]:
    """Return which nodes fall silent, and from when on; the first push is always made.

    Half of them at once, so that they are offline soon; the others bit by bit during two minutes,
    or half the time there is: some are then degraded while one looks.
    """
    silent = draw.sample(range(count), round(count * share))
    at_once = (len(silent) + 1) // 2
    last_s = min(_LAST_SILENT_S, seconds / 2) if seconds else _LAST_SILENT_S
    later = len(silent) - at_once
    return dict.fromkeys(silent[:at_once], 0.0) | {
        index: last_s * (rank + 1) / later for rank, index in enumerate(silent[at_once:])
    }
