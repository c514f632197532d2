"""One attempt at a job, as its worker sees it: when it must stop, and what is told of its end."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, NamedTuple

# A job is stopped so long before its lease can have expired: time to end, and to end by force.
LEASE_MARGIN_S: Final = 30.0
# From TERM to KILL. Who cancels waits for it, and wants nothing that is left.
GRACE_S: Final = 5.0
CANCEL_GRACE_S: Final = 2.0


class Stop(StrEnum):
    """Why an attempt is stopped before its end. A graver one takes the place of another."""

    WORKER_ENDS = "worker_ends"  # without having been told to
    YIELD = "yield"  # the owner is back, or the worker was told to end
    WALL_LIMIT = "wall_limit"
    NO_PROGRESS = "no_progress"
    CANCEL = "cancel"
    LEASE_ENDS = "lease_ends"  # nobody has answered for long
    EXPIRED = "expired"  # nor until the lease can have run out: the machine slept, perhaps
    LOST = "lost"  # it belongs to nobody or another by now


_GRAVITY: Final = tuple(Stop)


def graver(now: Stop | None, then: Stop) -> bool:
    """Tell whether ``then`` takes the place of ``now``."""
    return now is None or _GRAVITY.index(then) > _GRAVITY.index(now)


def grace_s(stop: Stop) -> float:
    """Return how long its program has from TERM to KILL."""
    if stop in {Stop.EXPIRED, Stop.LOST}:
        return 0.0
    return CANCEL_GRACE_S if stop is Stop.CANCEL else GRACE_S


class Limits(NamedTuple):
    """In seconds; None: as long as it takes."""

    wall_s: float | None
    no_progress_s: float | None


def least(*limits: float | None) -> float | None:
    """Return the least of those that are set."""
    return min((limit for limit in limits if limit is not None), default=None)


class Watch:
    """Tells when an attempt must stop. All times by a clock that goes on in suspend."""

    def __init__(self, limits: Limits, ttl_s: float, renewed_s: float) -> None:
        self._limits = limits
        self._ttl_s = ttl_s
        self._renewed_s = renewed_s
        self._started_s: float | None = None
        self._progress_s: float | None = None

    def started(self, now_s: float, *, tells_progress: bool = True) -> None:
        """A program runs from now on; one that tells no progress is not held to it."""
        self._started_s = now_s
        self._progress_s = now_s if tells_progress else None

    def progressed(self, now_s: float) -> None:
        self._progress_s = now_s

    def renewed(self, sent_s: float, ttl_s: float) -> None:
        """Note that the request sent then was answered: the lease holds from then on at least."""
        if sent_s >= self._renewed_s:
            self._renewed_s, self._ttl_s = sent_s, ttl_s

    def must_stop(self, now_s: float) -> Stop | None:
        if now_s - self._renewed_s >= self._ttl_s:
            return Stop.EXPIRED
        if now_s - self._renewed_s >= self._ttl_s - min(LEASE_MARGIN_S, self._ttl_s / 2):
            return Stop.LEASE_ENDS
        if self._started_s is None:
            return None
        if self._limits.wall_s is not None and now_s - self._started_s >= self._limits.wall_s:
            return Stop.WALL_LIMIT
        if self._limits.no_progress_s is None or self._progress_s is None:
            return None
        is_silent = now_s - self._progress_s >= self._limits.no_progress_s
        return Stop.NO_PROGRESS if is_silent else None


class Ended(NamedTuple):
    """How a program ended, and what it had said. ``error``: its own word for why it failed.
    ``how``: in a few words, for people."""

    exit_code: int | None
    how: str
    has_result: bool
    error: dict[str, Any] | None = None
    out_of_memory: bool = False


class Settlement(NamedTuple):
    """What the collector is told: ``status``, with ``error`` and ``outcome`` of a failure. What is
    yielded as ``lost`` costs the job an attempt, unless it has saved a checkpoint."""

    status: str
    error: dict[str, Any] | None = None
    outcome: str | None = None


def settle(stop: Stop | None, ended: Ended) -> Settlement | None:
    """Say what became of an attempt; None: it is nobody's business any more.

    A program that is asked to stop and ends with its result nevertheless has succeeded.
    """
    if stop is Stop.LOST:
        return None
    if ended.exit_code == 0 and ended.has_result and ended.error is None:
        return Settlement("succeeded")
    if stop is not None:
        return _STOPPED[stop]
    return Settlement("failed", ended.error, "failed") if ended.error else _crashed(ended)


def _crashed(ended: Ended) -> Settlement:
    if ended.out_of_memory:
        return failed(
            "crashed",
            f"{ended.how}: it needs more memory than it may use (memory_mib of the plugin's"
            " limits), or than there is",
            outcome="crashed",
        )
    after = "after its result" if ended.has_result else "without a result"
    return failed("crashed", f"{ended.how} {after}", outcome="crashed")


def failed(
    code: str, message: str, *, outcome: str = "failed", retryable: bool = True
) -> Settlement:
    return Settlement("failed", {"code": code, "message": message, "retryable": retryable}, outcome)


_STOPPED: Final = {
    Stop.YIELD: Settlement("yielded"),
    Stop.WORKER_ENDS: Settlement("yielded", outcome="lost"),
    Stop.CANCEL: Settlement("yielded"),
    Stop.LEASE_ENDS: Settlement("yielded"),
    # The collector may have waited for longer: then it is charged to nobody.
    Stop.EXPIRED: Settlement("yielded"),
    Stop.WALL_LIMIT: failed("wall_limit", "it took longer than it may", outcome="timed_out"),
    Stop.NO_PROGRESS: failed("no_progress", "it went on without any progress", outcome="timed_out"),
}
