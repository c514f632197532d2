"""Figures and spans of time for people, as the page words them."""

from __future__ import annotations

import re
from typing import Final

NONE: Final = "-"

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_EPITHET = re.compile(r" \([^()]*\)$")


def percent(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:.0f} %" if round(value, 1) >= 100 else f"{value:.1f} %"


def load(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def bytes_per_s(value: float | None) -> str:
    return NONE if value is None else f"{size(value)}/s"


def size(value: float) -> str:
    """Return a number of bytes with three digits."""
    if value < 999.5:
        return f"{value:.0f} B"
    power = 0
    while value >= 999.5 and power < len(_UNITS) - 1:
        value, power = value / 1000, power + 1
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{decimals}f} {_UNITS[power]}"


def span(ms: int) -> str:
    """Return how long that is, in its largest unit."""
    seconds = max(0, ms) // 1000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86_400} d"


def brief_os(name: str) -> str:
    """Return an operating system's name without what is only its epithet."""
    return _EPITHET.sub("", name.replace(" GNU/Linux", ""))
