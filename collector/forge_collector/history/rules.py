"""When a snapshot was really taken, how long it is kept, and in what steps history is told."""

from __future__ import annotations

from collections.abc import Collection
from itertools import count
from typing import Final, NamedTuple

from forge_shared import metrics

HOURS_KEPT: Final = 48
ROLLUP_DAYS_KEPT: Final = 30
# Fresh rows become chunks of the first span, those become chunks of the next, and so on: short
# ones compress badly, long ones take long to unpack and are pruned as a whole.
SPANS_MS: Final = (300_000, 3_600_000, 21_600_000)
_LATE_PUSHES_MS: Final = 10_000
SNAPSHOT_POINTS: Final = 300
SIGNIFICANT_OFFSET_MS: Final = 5_000

ROLLUP_STEP_MS: Final = 600_000
DEFAULT_POINTS: Final = 300
MAX_POINTS: Final = 3600
# What a person reads off an axis, and whole parts of ten minutes.
_STEPS_S: Final = (
    *(2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 25, 30, 40, 50),
    *(60, 75, 100, 120, 150, 200, 300),
)
# What asks for "the last 48 hours" was on its way for a moment.
_LATE_MS: Final = 60_000
_LEAST_GAP_MS: Final = 15_000
_GAP_INTERVALS: Final = 3


class Span(NamedTuple):
    """A stretch of time, Unix ms: from_ms <= ts < to_ms."""

    from_ms: int
    to_ms: int

    def widened(self, step_ms: int) -> Span:
        """Return whole steps that hold it all."""
        return Span(self.from_ms // step_ms * step_ms, -(-self.to_ms // step_ms) * step_ms)

    def padded(self, margin_ms: int) -> Span:
        return Span(self.from_ms - margin_ms, self.to_ms + margin_ms)


def significant_offset(offset_ms: int | None) -> int | None:
    """Return the clock offset if it is large enough to be a wrong clock, not a slow network."""
    if offset_ms is None or abs(offset_ms) <= SIGNIFICANT_OFFSET_MS:
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


def rollups_kept_since(now_ms: int, days_kept: int = ROLLUP_DAYS_KEPT) -> int:
    return now_ms - days_kept * 86_400_000


def closed_before(now_ms: int, span_ms: int) -> int:
    """Return the end of the last span that is over, and for which hardly anything will come."""
    return (now_ms - _LATE_PUSHES_MS) // span_ms * span_ms


def is_raw_kept(span: Span, raw_since_ms: int) -> bool:
    """Tell whether every snapshot of a span is kept, not only what became of them."""
    return span.from_ms >= raw_since_ms - _LATE_MS


def step_ms(span: Span, points: int, at_least_ms: int) -> int:
    """Return the smallest step in which a span takes ``points`` buckets at most.

    It is one of a few that read well, or a multiple of ten minutes, which rollups can answer.
    """
    for step_s in _STEPS_S:
        if step_s * 1000 >= at_least_ms and _buckets(span, step_s * 1000) <= points:
            return step_s * 1000
    # Fewer than this cannot do, and a few more do: only a boundary within the span can ask for it.
    least = (span.to_ms - span.from_ms) // (points * ROLLUP_STEP_MS)
    return next(
        multiple * ROLLUP_STEP_MS
        for multiple in count(max(1, least, -(-at_least_ms // ROLLUP_STEP_MS)))
        if _buckets(span, multiple * ROLLUP_STEP_MS) <= points
    )


def _buckets(span: Span, step_ms: int) -> int:
    from_ms, to_ms = span.widened(step_ms)
    return (to_ms - from_ms) // step_ms


def gap_ms(interval_s: int) -> int:
    """Return how long a node that pushes at this interval may be silent before it is a gap."""
    return max(_LEAST_GAP_MS, _GAP_INTERVALS * 1000 * interval_s)


def ordinary_distance_ms(interval_s: int) -> int:
    """Return how far apart a node's snapshots may lie with none missing: a push may be late."""
    return interval_s * 1500


def is_wanted(key: str, wanted: Collection[str] | None) -> bool:
    """Tell whether a series was asked for: by its key or its metric's name; None asks for all."""
    return wanted is None or key in wanted or metrics.split(key)[0] in wanted
