"""How long to wait before trying again."""

from __future__ import annotations

from typing import Final

FIRST_DELAY_S: Final = 1.0
LONGEST_DELAY_S: Final = 30.0


def full_jitter_s(failures: int, unit_random: float) -> float:
    """Return the seconds to wait after this many failures in a row.

    ``unit_random`` is a uniform draw from [0, 1). The ceiling doubles with each failure and the
    wait is drawn from all of it, so clients that failed together do not come back together
    (Exponential Backoff And Jitter, AWS Architecture Blog, 2015).
    """
    if failures <= 0:
        return 0.0
    ceiling = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures - 1, 30))
    return ceiling * unit_random
