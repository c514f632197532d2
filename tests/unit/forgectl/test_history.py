"""Pages of history: every snapshot once, wherever averages end and whatever time passes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from forge_shared.messages import History, HistorySeries
from forgectl import history
from forgectl.history import Span
from tests.unit.history import reference
from tests.unit.history.reference import Sent

NOW = 1_800_000_000_000
HOUR_MS = 3_600_000
AVERAGED_MS = 600_000


class Node:
    """A node with a past, at a collector that keeps two hours of snapshots; time passes with each
    request, and what is too old is gone at once."""

    def __init__(self, sent: Sequence[Sent], now_ms: int, passes_ms: int) -> None:
        self.sent = sent
        self.now_ms = now_ms
        self.passes_ms = passes_ms
        self.asked = 0

    def ask(self, span: Span, points: int) -> History:
        self.asked += 1
        self.now_ms += self.passes_ms
        raw_since = self.now_ms - 2 * HOUR_MS
        near = [
            snapshot
            for snapshot in self.sent
            if span.from_ms - HOUR_MS <= snapshot.ts < span.to_ms + HOUR_MS
        ]
        told = reference.history(near, *span, points=points, raw_since=raw_since)
        if told.step_ms == 1:
            kept = [snapshot for snapshot in near if snapshot.ts >= raw_since]
            told = reference.history(kept, *span, points=points, raw_since=raw_since)
        series = {key: HistorySeries(**lines) for key, lines in told.series.items()}
        return History("n1", *span, told.step_ms, raw_since, told.ts, series)


@settings(max_examples=25, deadline=None)
@given(
    now_ms=st.integers(NOW, NOW + AVERAGED_MS) | st.integers(NOW, NOW + 60_000),
    passes_ms=st.sampled_from([0, 1, 3000]),
    every_ms=st.sampled_from([1500, 5000, 60_000]),
    hours=st.sampled_from([1, 3, 5]),
    gap=st.tuples(st.integers(0, 6 * HOUR_MS), st.integers(0, 3 * HOUR_MS)),
)
def test_every_snapshot_is_told_once_as_itself_or_in_an_average(
    now_ms: int, passes_ms: int, every_ms: int, hours: int, gap: tuple[int, int]
) -> None:
    span = Span(now_ms - hours * HOUR_MS, now_ms)
    gap_begins, gap_ends = span.from_ms + gap[0], span.from_ms + sum(gap)
    sent = [
        Sent("a", seq, ts, {"cpu.pct": seq % 100})
        for seq, ts in enumerate(range(*span, every_ms))
        if not gap_begins <= ts < gap_ends
    ]
    node = Node(sent, now_ms, passes_ms)

    pages = list(history.pages_of(node, span))

    told = [(ts, page.step_ms) for page in pages for ts in page.ts]
    assert all(before < after for (before, _), (after, _) in pairwise(told))
    times = [snapshot.ts for snapshot in sent]
    covered = 0
    for ts, step_ms in told:
        inside = bisect_left(times, ts + step_ms) - bisect_left(times, ts)
        assert inside > 0
        covered += inside
        assert step_ms in {1, AVERAGED_MS}
        if step_ms == 1:
            assert ts >= now_ms - 2 * HOUR_MS
        else:
            assert ts < node.now_ms - 2 * HOUR_MS
    assert covered == len(sent)
    assert node.asked < 40
