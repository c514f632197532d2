"""Moments as people type them: so long ago or from now, a date and time, or Unix milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_OR: Final = "a date and time (2026-11-21T15:00), or Unix ms"
HELP: Final = f"how long ago (90s, 30m, 6h, 2d, 1w), {_OR}"
HELP_AHEAD: Final = f"in how long (90s, 30m, 6h, 2d, 1w), {_OR}"

_UNIT_MS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_SPAN = re.compile(r"([0-9]{1,9})([smhdw])")
_UNIX_MS = re.compile(r"[0-9]{12,13}")


def read(text: str, now_ms: int) -> int:
    """Return a moment as Unix ms; raises ValueError. ``now_ms``: what is counted back from.

    A date and time without a zone is this machine's.
    """
    return _read(text, now_ms, -1, HELP)


def read_ahead(text: str, now_ms: int) -> int:
    """Return a moment that is to come as Unix ms, as ``read`` does one that has passed."""
    return _read(text, now_ms, 1, HELP_AHEAD)


def _read(text: str, now_ms: int, direction: int, help_text: str) -> int:
    text = text.strip()
    if (span := _SPAN.fullmatch(text)) is not None:
        return max(0, now_ms + direction * int(span[1]) * _UNIT_MS[span[2]])
    if _UNIX_MS.fullmatch(text):
        return int(text)
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is none of these: {help_text}.") from None


def iso(unix_ms: int) -> str:
    """Return a moment in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
