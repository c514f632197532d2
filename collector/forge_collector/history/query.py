"""A node's history, as it is asked for: at most so many points, in steps that read well.

Every bucket of an answer is whole: what lies in it counts, even where the span that was asked for
begins or ends within it. So a bucket reads the same in whatever span it is seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import numpy as np

from forge_collector.db import Tx
from forge_collector.history import columns, rules, store
from forge_collector.history.buckets import Buckets, Series
from forge_collector.history.columns import Columns, Floats, Integers
from forge_collector.history.rules import Span

_NO_SERIES: Final = frozenset[str]()
EACH: Final = 1  # the step_ms of an answer in which every snapshot stands for itself


class Question(NamedTuple):
    """``wanted``: keys and names of metrics, None for all. ``raw_since_ms``: from when on every
    snapshot is kept. ``interval_s``: how often the node usually pushes."""

    node_id: str
    span: Span
    points: int
    wanted: Collection[str] | None
    raw_since_ms: int
    interval_s: int


class Line(NamedTuple):
    """One series, one entry a point, NaN where there is no sample."""

    avg: Floats
    min: Floats
    max: Floats


class Answer(NamedTuple):
    """Points side by side. ``ts``: of a snapshot, or where a bucket begins."""

    step_ms: int
    ts: Integers
    lines: Mapping[str, Line]


def answer(tx: Tx, asked: Question) -> Answer:
    is_raw_kept = rules.is_raw_kept(asked.span, asked.raw_since_ms)
    at_least_ms = 0 if is_raw_kept else rules.ROLLUP_STEP_MS
    step_ms = rules.step_ms(asked.span, asked.points, at_least_ms)
    if step_ms < rules.ROLLUP_STEP_MS:
        return _of_samples(tx, asked, step_ms)
    buckets = store.rollups(tx, asked.node_id, *asked.span.widened(step_ms), asked.wanted)
    if is_raw_kept and _inside(buckets, asked.span) <= asked.points:
        samples = store.samples(tx, asked.node_id, *asked.span, asked.wanted)
        if len(samples) <= asked.points:
            return _each(samples, asked.interval_s)
    return _in_steps(Buckets.merged([buckets], step_ms))


def _inside(buckets: Buckets, span: Span) -> int:
    """Return how many snapshots are in the span for certain: those of whole buckets within it."""
    is_inside = (buckets.ts >= span.from_ms) & (buckets.ts + buckets.step_ms <= span.to_ms)
    return int(buckets.snapshots[is_inside].sum())


def _of_samples(tx: Tx, asked: Question, step_ms: int) -> Answer:
    ordinary_ms = rules.ordinary_distance_ms(asked.interval_s)
    longest_step_ms = rules.step_ms(asked.span, asked.points, ordinary_ms)
    around = asked.span.padded(max(step_ms, longest_step_ms))
    times = store.samples(tx, asked.node_id, *around, _NO_SERIES).ts
    if len(_between(times, asked.span)) <= asked.points:
        samples = store.samples(tx, asked.node_id, *asked.span, asked.wanted)
        return _each(samples, asked.interval_s)
    # A step shorter than the node's own rhythm would leave a hole between every two snapshots,
    # where it was watched, every second, for a part of the span only.
    apart = np.diff(_between(times, asked.span.widened(step_ms)))
    apart_ms = int(apart.max(initial=0, where=apart <= ordinary_ms))
    step_ms = rules.step_ms(asked.span, asked.points, apart_ms)
    # A part at a time: a thousand series of a day would take gigabytes side by side.
    parts = store.parts(tx, asked.node_id, *asked.span.widened(step_ms), asked.wanted)
    found = [Buckets.of_samples(part, step_ms) for part in parts]
    return _in_steps(Buckets.merged(found, step_ms))


def _between(times: Integers, span: Span) -> Integers:
    first, end = np.searchsorted(times, [span.from_ms, span.to_ms])
    return times[first:end]


def _each(samples: Columns, interval_s: int) -> Answer:
    """Return every snapshot for itself, with an empty point in each gap."""
    before = np.flatnonzero(np.diff(samples.ts) > rules.gap_ms(interval_s))
    lines: dict[str, Line] = {}
    for key, column in samples.values.items():
        numbers = np.insert(column, before + 1, np.nan)
        lines[key] = Line(numbers, numbers, numbers)
    empty = samples.ts[before] + interval_s * 1000
    return Answer(EACH, np.insert(samples.ts, before + 1, empty), lines)


def _in_steps(buckets: Buckets) -> Answer:
    """Return the buckets, and empty ones between them where nothing came."""
    if not len(buckets):
        return Answer(buckets.step_ms, buckets.ts, {})
    places = (buckets.ts - buckets.ts[0]) // buckets.step_ms
    ts = buckets.ts[0] + buckets.step_ms * np.arange(places[-1] + 1)
    return Answer(
        buckets.step_ms,
        ts,
        {key: _line(key, series, places, len(ts)) for key, series in buckets.series.items()},
    )


def _line(key: str, series: Series, places: Integers, points: int) -> Line:
    def spread(numbers: Floats) -> Floats:
        if len(numbers) == points:
            return numbers
        line = np.full(points, np.nan)
        line[places] = numbers
        return line

    # The extremes are values that were measured; one that nobody rounded must not lie within them.
    avg = np.clip(columns.rounded(key, series.avg), series.min, series.max)
    return Line(spread(avg), spread(series.min), spread(series.max))
