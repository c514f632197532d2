"""The clocks of the queue, the order of its jobs, and how long a failed one is put off."""

from __future__ import annotations

from typing import Final, NamedTuple

from forge_collector.clock import Clock
from forge_shared.job_messages import LEASE_TTL_S

LEASE_TTL_MS: Final = LEASE_TTL_S * 1000
# Three heartbeats missed. Its leases go on: it may only be cut off.
SILENT_AFTER_MS: Final = 100_000
# A worker keeps its jobs' limits itself; one that is over them by so much does not.
OVERRUN_MS: Final = 60_000
MOST_BACKOFF_MS: Final = 600_000
# Who submitted a job and sent nothing of its payload for so long does not come back.
PAYLOAD_MISSING_MS: Final = 24 * 3600 * 1000
# A job goes before all that came so much later, for each step of its priority.
_MS_A_PRIORITY: Final = 60_000


class Moment(NamedTuple):
    """Now: ``now_ms`` in Unix ms, which may jump, and ``lease_ms`` by the lease clock."""

    now_ms: int
    lease_ms: int


class LeaseClock:
    """The wall clock as it was at the start, and from there on one that never jumps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_ms = clock.now_ms() - clock.monotonic_ms()

    def moment(self) -> Moment:
        return Moment(self._clock.now_ms(), self._clock.monotonic_ms() + self._ahead_ms)


def rank(available_at: int, priority: int) -> int:
    """Return a job's place: the lesser goes first. It never changes, and what comes later gets a
    greater one sooner or later, so nothing waits for ever."""
    return available_at - priority * _MS_A_PRIORITY


def backoff_ms(backoff_s: int, failures: int, drawn: float) -> int:
    """Return how long to put a job off after so many failures, with full jitter.

    ``drawn`` is a uniform draw from [0, 1). The ceiling doubles with each failure.
    """
    ceiling = min(MOST_BACKOFF_MS, backoff_s * 1000 * 2 ** min(max(failures, 1) - 1, 30))
    return int(ceiling * drawn)
