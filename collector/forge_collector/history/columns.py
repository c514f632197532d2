"""A stretch of a node's history as columns: one array a series, one place in each a snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forge_shared import metrics

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Snapshots side by side.

    ``seq`` and ``ts`` (Unix ms) have one entry a snapshot. ``values`` maps a metric key to as many
    numbers, NaN where a snapshot did not have it; a series without any number is not there.
    """

    seq: Integers
    ts: Integers
    values: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.ts)

    def taken(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> Columns:
        """Return the snapshots at these places, or for which this is true."""
        values = {key: column[which] for key, column in self.values.items()}
        return Columns(
            self.seq[which],
            self.ts[which],
            {key: column for key, column in values.items() if not np.isnan(column).all()},
        )


NOTHING = Columns(np.empty(0, np.int64), np.empty(0, np.int64), {})


def of_snapshots(
    seqs: Sequence[int], times: Sequence[int], values: Sequence[Mapping[str, int | float]]
) -> Columns:
    """Return snapshots as columns, in the order given."""
    columns: dict[str, Floats] = {}
    for place, snapshot in enumerate(values):
        for key, value in snapshot.items():
            column = columns.get(key)
            if column is None:
                column = columns[key] = np.full(len(values), np.nan)
            column[place] = value
    return Columns(np.array(seqs, np.int64), np.array(times, np.int64), columns)


def joined(parts: Sequence[Columns]) -> Columns:
    """Return the snapshots of all parts, one part after the other."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return NOTHING
    if len(parts) == 1:
        return parts[0]
    keys = dict.fromkeys(key for part in parts for key in part.values)
    return Columns(
        np.concatenate([part.seq for part in parts]),
        np.concatenate([part.ts for part in parts]),
        {key: np.concatenate([_column(part, key) for part in parts]) for key in keys},
    )


def are_equal(one: Columns, other: Columns) -> bool:
    """Tell whether both hold the same snapshots in the same order."""
    return (
        np.array_equal(one.seq, other.seq)
        and np.array_equal(one.ts, other.ts)
        and one.values.keys() == other.values.keys()
        and all(
            np.array_equal(column, other.values[key], equal_nan=True)
            for key, column in one.values.items()
        )
    )


def rounded(key: str, numbers: Floats) -> Floats:
    """Return the numbers at their metric's resolution, as ``metrics.rounded`` makes it; what the
    table does not know has none."""
    metric = metrics.METRICS.get(metrics.split(key)[0])
    if metric is None:
        return numbers
    steps = np.rint(numbers / metric.resolution)
    if metric.resolution >= 1:
        return steps * metric.resolution
    return steps / round(1 / metric.resolution)


def _column(part: Columns, key: str) -> Floats:
    column = part.values.get(key)
    return np.full(len(part), np.nan) if column is None else column
