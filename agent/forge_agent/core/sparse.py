"""Saying something once, and then only now and then."""

from __future__ import annotations

import math
from typing import Final

REPEAT_AFTER_S: Final = 60.0


class Sparse:
    """Tells whether a condition that goes on is worth another line."""

    __slots__ = ("_said_at_s", "_what")

    def __init__(self) -> None:
        self._what: str | None = None
        self._said_at_s = -math.inf

    def due(self, what: str, now_s: float) -> bool:
        """Return True when ``what`` is news, or was last said a minute ago."""
        if what == self._what and now_s - self._said_at_s < REPEAT_AFTER_S:
            return False
        self._what = what
        self._said_at_s = now_s
        return True

    def over(self) -> bool:
        """Forget it; return whether there was something to forget."""
        was_said = self._what is not None
        self._what = None
        return was_said
