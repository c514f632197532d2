"""Plugins that fail here: each pauses for a while, the longer the more of its jobs have failed in a
row. On a machine that lacks something, jobs end faster than anywhere else: it would have them all.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from forge_agent.core.attempts import Settlement
from forge_agent.core.pacing import Retry

# What may be the machine's fault. A program that says why it failed has looked at its job.
_PERHAPS_OURS: Final = frozenset(
    {"crashed", "files", "no_room", "not_started", "unverified", "worker_fault"}
)


class Setbacks:
    """Usable from several threads. ``now_s`` returns seconds of the monotonic clock."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._retries: dict[str, Retry] = {}

    def note(self, job_type: str, settlement: Settlement) -> None:
        """Note how an attempt has ended."""
        with self._lock:
            if settlement.error is not None and settlement.error["code"] in _PERHAPS_OURS:
                retry = self._retries.setdefault(job_type, Retry())
                retry.failed(self._now_s(), 0.0)
            elif settlement.status != "yielded":
                self._retries.pop(job_type, None)

    def ready(self, types: Sequence[str]) -> list[str]:
        """Return those of the types, with versions or without, that do not pause."""
        now_s = self._now_s()
        return [one for one in types if self._not_before_s(one) <= now_s]

    def ready_at_s(self, types: Sequence[str]) -> float:
        """Return when the first of the types does not pause."""
        return min(map(self._not_before_s, types), default=0.0)

    def next_ready_at_s(self, types: Sequence[str]) -> float:
        """Return when the next of the types that pause does so no more; infinite if none pauses."""
        now_s = self._now_s()
        later = (at_s for at_s in map(self._not_before_s, types) if at_s > now_s)
        return min(later, default=math.inf)

    def _not_before_s(self, offered: str) -> float:
        with self._lock:
            retry = self._retries.get(offered.partition("@")[0])
            return 0.0 if retry is None else retry.not_before_s
