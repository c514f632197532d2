"""How long, as people type it: a number and a unit."""

from __future__ import annotations

import re
from typing import Final

HELP: Final = "a number and a unit: 30m, 1h, 7d"

_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])")


def read_s(text: str) -> int:
    """Return a duration in seconds; raises ValueError."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is not {HELP}.")
    return int(match[1]) * _UNIT_S[match[2]]


def told(seconds: int) -> str:
    """Return a duration as it would be typed."""
    exact = [unit for unit, unit_s in _UNIT_S.items() if seconds % unit_s == 0]
    return f"{seconds // _UNIT_S[exact[-1]]}{exact[-1]}"
