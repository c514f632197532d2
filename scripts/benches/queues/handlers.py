"""The job that does nothing, in a module of its own: workers look it up by name."""

from __future__ import annotations

import time
from typing import Final

LATE_MS: Final[list[float]] = []  # of each job that ran here: how long after it was submitted


def no_op(at: float) -> None:
    LATE_MS.append((time.monotonic() - at) * 1000)
