"""What the program says: JSON lines on stdout, no more of them than anyone can follow."""

from __future__ import annotations

import json
import math
import sys
import time
from typing import Any, Final

from forge_prodplan.checkpoint import Checkpoint, to_json
from forge_prodplan.errors import PlanError
from forge_prodplan.schedule import Schedule

_INCUMBENT_EVERY_S: Final = 0.3
_PROGRESS_EVERY_S: Final = 2.0
_CHECKPOINT_EVERY_S: Final = 3.0
# A bound alone is not worth a whole schedule so often.
_BOUND_KEPT_EVERY_S: Final = 15.0
_LONGEST_MESSAGE: Final = 1000
_LEAST_LEFT: Final = 0.1  # of the time, for any attempt


def say(kind: str, **fields: Any) -> None:
    """Write one line, at once."""
    line = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def say_error(error: PlanError) -> None:
    message = str(error)[:_LONGEST_MESSAGE]
    say("error", code=error.code, message=message, retryable=error.retryable)


def note(text: str) -> None:
    """Write a line into the log."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


class Clock:
    """The time that a job's attempts may take together. ``spent_s``: by those before; something
    is left for each."""

    def __init__(self, began: float, spent_s: float, limit_s: float) -> None:
        self._began = began - min(spent_s, limit_s * (1 - _LEAST_LEFT))
        self._limit_s = limit_s

    @property
    def spent_s(self) -> float:
        return time.monotonic() - self._began

    @property
    def until(self) -> float:
        """When it is over, by time.monotonic."""
        return self._began + self._limit_s

    @property
    def fraction(self) -> float:
        return min(1.0, self.spent_s / self._limit_s)


class Telling:
    """Tells how the search stands: at once what comes first, then the newest now and then."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._objective: int | None = None
        self._bound = 0
        self._schedule: Schedule | None = None
        self._told: object = None
        self._kept: Schedule | None = None
        self._bound_kept = 0
        self._message_told = ""
        self._incumbent_at = self._progress_at = self._checkpoint_at = -math.inf

    def stands(self, schedule: Schedule | None, objective: int | None, bound: int) -> None:
        self._schedule, self._objective, self._bound = schedule, objective, bound

    def tell(self) -> None:
        """Say what is new and due."""
        now = time.monotonic()
        if now - self._incumbent_at >= _INCUMBENT_EVERY_S:
            self.tell_incumbent()
        is_new = self._schedule is not self._kept
        every_s = _CHECKPOINT_EVERY_S if is_new else _BOUND_KEPT_EVERY_S
        if now - self._checkpoint_at >= every_s:
            self.keep_if_better()
        message = self._message()
        if message != self._message_told or now - self._progress_at >= _PROGRESS_EVERY_S:
            self._message_told, self._progress_at = message, now
            say("progress", fraction=round(self._clock.fraction, 3), message=message)

    def tell_end(self) -> None:
        """Say of the best schedule what is true from now on."""
        self.tell_incumbent()
        is_best = self._objective == self._bound
        say("progress", fraction=1.0, message="proved to be best" if is_best else "time is over")

    def tell_incumbent(self) -> None:
        """Say how the best schedule stands, unless that was the last thing said of it."""
        standing = (self._objective, self._bound)
        if self._objective is None or standing == self._told:
            return
        self._told, self._incumbent_at = standing, time.monotonic()
        say("incumbent", objective=self._objective, bound=self._bound, gap=round(self._gap(), 4))

    def keep_if_better(self) -> None:
        if self._schedule is not self._kept or self._bound != self._bound_kept:
            self.keep()

    def keep(self) -> None:
        """Say what the next attempt needs to go on from here."""
        self._kept, self._bound_kept = self._schedule, self._bound
        self._checkpoint_at = time.monotonic()
        kept = Checkpoint(self._schedule, self._clock.spent_s, self._bound)
        say("checkpoint", data=to_json(kept))

    def _gap(self) -> float:
        objective = self._objective or 0
        return (objective - self._bound) / objective if objective else 0.0

    def _message(self) -> str:
        # Without figures: the incumbents have them, and newer ones.
        which = "first" if self._objective is None else "better"
        return f"searching for a {which} schedule"
