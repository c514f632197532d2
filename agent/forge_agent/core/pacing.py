"""How fast snapshots are sent: when to try again, and a replay that leaves room for live pushes.

A fleet that lost its collector comes back by these rules; docs/performance.md tells how many pushes
a second that makes (``scripts/bench stampede``).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from forge_agent.core import spooling
from forge_shared import backoff

# Between two batches, at least: other agents replay as well.
_SHORTEST_PAUSE_S: Final = 0.2
# Agents that come back together begin to replay within twice the time they were offline.
_SPREAD: Final = 2
_LONGEST_SPREAD_S: Final = 60.0
# The newest snapshot waits for the batch in flight: that must not take long.
_SLOW_S: Final = 1.0
_BRISK_S: Final = 0.25
_FEWEST_LINES: Final = 20
_FEWEST_AFTER_REFUSAL: Final = 100


class Retry:
    """When to try again after failures in a row. ``draw`` returns uniform numbers from [0, 1)."""

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self.failures = 0
        self.not_before_s = 0.0
        self._draw = draw

    def failed(self, now_s: float, retry_after_s: float) -> None:
        self.failures += 1
        # The jitter comes on top: those told the same Retry-After must not come back together.
        jitter_s = backoff.full_jitter_s(self.failures, self._draw())
        self.not_before_s = now_s + retry_after_s + jitter_s

    def succeeded(self, now_s: float, pause_s: float = 0.0) -> None:
        self.failures = 0
        self.not_before_s = now_s + pause_s

    def spread(self, now_s: float, offline_s: float) -> None:
        """Begin some time after an outage that lasted so long: many others begin then."""
        begin_s = now_s + self._draw() * min(_LONGEST_SPREAD_S, _SPREAD * offline_s)
        self.not_before_s = max(self.not_before_s, begin_s)


def replay_pause_s(took_s: float) -> float:
    """Return how long to wait after a batch that took so long: half of the line is others'."""
    return max(_SHORTEST_PAUSE_S, took_s)


def lines_after(most: int, sent: int, took_s: float) -> int:
    """Return how many lines the next batch may have, after one of ``sent`` lines, of ``most`` that
    it might have had, took so long."""
    if took_s > _SLOW_S:
        return max(min(_FEWEST_LINES, sent), sent // 2)
    return min(spooling.BATCH_LINES, 2 * most) if took_s < _BRISK_S else most


def lines_after_refusal(sent: int) -> int:
    """Return how many lines the next batch may have, after one was sent for nothing: to be refused
    again must not cost as much."""
    return max(min(_FEWEST_AFTER_REFUSAL, sent), sent // 2)
