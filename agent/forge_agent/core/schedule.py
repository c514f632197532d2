"""When to sample: how often, and at which moment within the interval."""

from __future__ import annotations

import math
import zlib
from typing import Final

DEFAULT_INTERVAL_S: Final = 5
SHORTEST_INTERVAL_S: Final = 1
LONGEST_INTERVAL_S: Final = 300
# Someone watching this node asks for more than the usual; when nobody renews it, nobody watches.
DIRECTIVE_TERM_S: Final = 30.0
# Over a shorter time the counters' own steps (10 ms of CPU time) would be the figures.
LEAST_GAP_S: Final = 0.5


class Interval:
    """How many seconds lie between two samples, as collector and owner want it.

    ``owner_s``: what the machine's owner chose in place of the usual 5 s, and the least they allow;
    0 when they left it to the collector.
    """

    __slots__ = ("_directive_s", "_owner_s", "_told_at_s", "_usual_s")

    def __init__(self, owner_s: int) -> None:
        self._owner_s = owner_s
        self._usual_s = owner_s or DEFAULT_INTERVAL_S
        self._directive_s = DEFAULT_INTERVAL_S
        self._told_at_s = -math.inf

    def told(self, interval_s: int, now_s: float) -> None:
        """Take the collector's directive, heard at ``now_s`` on the monotonic clock."""
        self._directive_s = min(LONGEST_INTERVAL_S, max(SHORTEST_INTERVAL_S, interval_s))
        self._told_at_s = now_s

    def current_s(self, now_s: float) -> int:
        quick = self._directive_s < DEFAULT_INTERVAL_S
        lapsed = quick and now_s - self._told_at_s > DIRECTIVE_TERM_S
        # 5 s is what the collector says when it wants nothing of its own.
        if lapsed or self._directive_s == DEFAULT_INTERVAL_S:
            return self._usual_s
        return max(self._owner_s, self._directive_s)


def phase(node_id: str) -> float:
    """Return where in the interval this node's turn is, in [0, 1).

    Agents that start at once, after a power cut say, are spread by it. (crc32 rather than hashlib,
    which loads OpenSSL: 3.7 MB.)
    """
    return zlib.crc32(node_id.encode()) / 2**32


def first_turn_s(now_s: float, wall_ms: int, interval_s: int, node_phase: float) -> float:
    """Return the node's next turn on the monotonic clock, not before ``LEAST_GAP_S``.

    Turns are anchored to the wall clock, the only one that machines share.
    """
    wait_s = (node_phase * interval_s - wall_ms / 1000) % interval_s
    return now_s + (wait_s if wait_s >= LEAST_GAP_S else wait_s + interval_s)


def next_turn_s(turn_s: float, now_s: float, interval_s: int) -> float:
    """Return the turn after ``turn_s`` that is still to come: missed ones are skipped, and the
    rhythm stays."""
    missed = max(0, math.floor((now_s - turn_s) / interval_s))
    return turn_s + (missed + 1) * interval_s
