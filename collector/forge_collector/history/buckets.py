"""Buckets: a stretch of history in even steps, each series with its average, least and greatest.

A bucket begins at a multiple of its step in Unix time, so buckets of several boots, of rollups and
of fresh snapshots fall on the same places and merge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forge_collector.history.columns import Columns, Floats, Integers, rounded

_Places = NDArray[np.intp]
_Which = NDArray[np.intp] | NDArray[np.bool_] | slice


class Series(NamedTuple):
    """One series, one entry a bucket. ``samples``: how many, by which averages weigh when they
    merge; where there are none, the other three are NaN."""

    samples: Integers
    avg: Floats
    min: Floats
    max: Floats

    def taken(self, which: _Which) -> Series:
        return Series(self.samples[which], self.avg[which], self.min[which], self.max[which])


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Buckets that hold something, oldest first, each start once.

    ``ts``: where each begins, Unix ms. ``snapshots``: how many, whatever they measured. A series
    without any sample is not there.
    """

    step_ms: int
    ts: Integers
    snapshots: Integers
    series: Mapping[str, Series]

    def __len__(self) -> int:
        return len(self.ts)

    def taken(self, which: _Which) -> Buckets:
        """Return the buckets at these places, or for which this is true."""
        return Buckets(
            self.step_ms,
            self.ts[which],
            self.snapshots[which],
            _with_samples({key: one.taken(which) for key, one in self.series.items()}),
        )

    def of_series(self, is_wanted: Callable[[str], bool]) -> Buckets:
        """Return the same with the wanted series alone."""
        return replace(
            self, series={key: one for key, one in self.series.items() if is_wanted(key)}
        )

    def with_rounded_averages(self) -> Buckets:
        """Return the same with each average at its metric's resolution, within its extremes."""
        series = {
            key: one._replace(avg=np.clip(rounded(key, one.avg), one.min, one.max))
            for key, one in self.series.items()
        }
        return replace(self, series=series)

    @staticmethod
    def of_samples(columns: Columns, step_ms: int) -> Buckets:
        """Return the buckets of snapshots, which may come in any order."""
        if not len(columns):
            return nothing(step_ms)
        order = _order(columns.ts)
        starts, first = _runs(_floored(columns.ts[order], step_ms))
        snapshots = np.diff(first, append=len(columns))
        series = {
            key: _of_numbers(column[order], first, snapshots)
            for key, column in columns.values.items()
        }
        return Buckets(step_ms, starts, snapshots, _with_samples(series))

    @staticmethod
    def merged(parts: Sequence[Buckets], step_ms: int) -> Buckets:
        """Return the buckets of all parts together, which may share some, at a step that is a
        multiple of each part's own."""
        for part in parts:
            if step_ms % part.step_ms:
                raise ValueError(f"buckets of {part.step_ms} ms do not fit into {step_ms} ms")
        parts = [part for part in parts if len(part)]
        if not parts:
            return nothing(step_ms)
        if len(parts) == 1 and parts[0].step_ms == step_ms:
            return parts[0]
        joined = np.concatenate([part.ts for part in parts])
        order = _order(joined)
        starts, first = _runs(_floored(joined[order], step_ms))
        snapshots = np.concatenate([part.snapshots for part in parts])[order]
        keys = dict.fromkeys(key for part in parts for key in part.series)
        return Buckets(
            step_ms,
            starts,
            np.add.reduceat(snapshots, first),
            {key: _merged_series(key, parts, order, first) for key in keys},
        )


def nothing(step_ms: int) -> Buckets:
    return Buckets(step_ms, np.empty(0, np.int64), np.empty(0, np.int64), {})


def _with_samples(series: Mapping[str, Series]) -> dict[str, Series]:
    return {key: one for key, one in series.items() if one.samples.any()}


def _floored(ts: Integers, step_ms: int) -> Integers:
    return ts - ts % step_ms


def _order(ts: Integers) -> _Places | slice:
    """Return what puts times in order; nearly always they are."""
    if (ts[1:] >= ts[:-1]).all():
        return slice(None)
    return np.argsort(ts, kind="stable")


def _runs(starts: Integers) -> tuple[Integers, _Places]:
    """Return each different start, and the place at which its run begins."""
    begins = np.empty(len(starts), np.bool_)
    begins[0] = True
    np.not_equal(starts[1:], starts[:-1], out=begins[1:])
    first = np.flatnonzero(begins)
    return starts[first], first


def _of_numbers(numbers: Floats, first: _Places, snapshots: Integers) -> Series:
    missing = np.isnan(numbers)
    if not missing.any():
        total, samples = np.add.reduceat(numbers, first), snapshots
    else:
        total = np.add.reduceat(np.where(missing, 0.0, numbers), first)
        samples = snapshots - np.add.reduceat(missing.astype(np.int64), first)
    # fmin and fmax pass over NaN; where there is nothing else, NaN is what they return.
    least, greatest = np.fmin.reduceat(numbers, first), np.fmax.reduceat(numbers, first)
    return _series(samples, total, least, greatest)


def _merged_series(
    key: str, parts: Sequence[Buckets], order: _Places | slice, first: _Places
) -> Series:
    columns = [_series_of(part, key) for part in parts]
    joined = Series(*(np.concatenate(entries) for entries in zip(*columns, strict=True)))
    samples, avg, least, greatest = joined.taken(order)
    return _series(
        np.add.reduceat(samples, first),
        np.add.reduceat(np.where(samples == 0, 0.0, avg * samples), first),
        np.fmin.reduceat(least, first),
        np.fmax.reduceat(greatest, first),
    )


def _series_of(part: Buckets, key: str) -> Series:
    found = part.series.get(key)
    if found is not None:
        return found
    none = np.full(len(part), np.nan)
    return Series(np.zeros(len(part), np.int64), none, none, none)


def _series(samples: Integers, total: Floats, least: Floats, greatest: Floats) -> Series:
    """Return a series from its totals; rounding must not carry an average past its extremes."""
    avg = np.divide(total, samples, out=np.full(len(samples), np.nan), where=samples > 0)
    return Series(samples, np.clip(avg, least, greatest), least, greatest)
