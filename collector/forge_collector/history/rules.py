"""When a snapshot was really taken, and how long it is kept."""

from __future__ import annotations

from typing import Final

HOURS_KEPT: Final = 48
SNAPSHOT_POINTS: Final = 300
_SIGNIFICANT_OFFSET_MS: Final = 5_000


def significant_offset(offset_ms: int | None) -> int | None:
    """Return the clock offset if it is large enough to be a wrong clock, not a slow network."""
    if offset_ms is None or abs(offset_ms) <= _SIGNIFICANT_OFFSET_MS:
        return None
    return offset_ms


def corrected(ts: int, offset_ms: int | None) -> int:
    """Return a node's time by the collector's clock. ``offset_ms``: collector's minus node's."""
    return ts + (significant_offset(offset_ms) or 0)


def observed_at(ts: int, offset_ms: int | None, received_at: int) -> int:
    """Return when a snapshot was taken as far as is known on receipt, never in the future:
    a future-dated row must not live forever."""
    return min(corrected(ts, offset_ms), received_at)


def kept_since(now_ms: int, hours_kept: int = HOURS_KEPT) -> int:
    return now_ms - hours_kept * 3_600_000
