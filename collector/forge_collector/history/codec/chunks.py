"""Snapshots, and the buckets they were rolled up to, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from forge_collector.history.buckets import Buckets, Series
from forge_collector.history.codec import tables
from forge_collector.history.codec.frame import DamagedError
from forge_collector.history.codec.tables import Wanted
from forge_collector.history.columns import Columns, Floats, Integers

# A metric's key begins with a letter: these are no key's.
_SEQ: Final = "#seq"
_TS: Final = "#ts"
_SNAPSHOTS: Final = "#snapshots"
_MIN, _MAX, _AVG, _SAMPLES = "#min ", "#max ", "#avg ", "#samples "


def encode_columns(columns: Columns, *, is_thorough: bool = True) -> bytes:
    """Return snapshots, one at least, as sealed bytes. ``is_thorough``: for what is to be kept,
    not for what is soon merged."""
    series = {_SEQ: _numbers(columns.seq), _TS: _numbers(columns.ts), **columns.values}
    return tables.encode(len(columns), series, is_thorough=is_thorough)


def decode_columns(sealed: bytes, wanted: Wanted | None = None) -> Columns:
    """Return snapshots with the wanted series, all by default; raises DamagedError."""
    series = _series(sealed, wanted)
    seq, ts = _popped(series, _SEQ), _popped(series, _TS)
    return Columns(seq, ts, series)


def encode_buckets(buckets: Buckets) -> bytes:
    """Return buckets, one at least, as sealed bytes; their step is the caller's to remember."""
    table = {_TS: _numbers(buckets.ts), _SNAPSHOTS: _numbers(buckets.snapshots)}
    for key in sorted(buckets.series):
        series = buckets.series[key]
        table |= {_MIN + key: series.min, _MAX + key: series.max, _AVG + key: series.avg}
        if (series.samples != buckets.snapshots).any():
            table[_SAMPLES + key] = _numbers(series.samples)
    # A few dozen rows: what predictions would save, telling them takes.
    return tables.encode(len(buckets), table, is_thorough=False)


def decode_buckets(sealed: bytes, step_ms: int) -> Buckets:
    """Return buckets; raises DamagedError."""
    found = _series(sealed, None)
    ts, snapshots = _popped(found, _TS), _popped(found, _SNAPSHOTS)
    series: dict[str, Series] = {}
    for name, least in found.items():
        if not name.startswith(_MIN):
            continue
        key = name.removeprefix(_MIN)
        samples = found.get(_SAMPLES + key)
        series[key] = Series(
            snapshots if samples is None else samples.astype(np.int64),
            _named(found, _AVG + key),
            least,
            _named(found, _MAX + key),
        )
    return Buckets(step_ms, ts, snapshots, series)


def _numbers(integers: Integers) -> Floats:
    return integers.astype(np.float64)


def _series(sealed: bytes, wanted: Wanted | None) -> dict[str, Floats]:
    def is_needed(name: str) -> bool:
        return wanted is None or name in {_SEQ, _TS, _SNAPSHOTS} or wanted(name)

    return dict(tables.decode(sealed, is_needed).series)


def _named(found: Mapping[str, Floats], name: str) -> Floats:
    if name not in found:
        raise DamagedError(f"it has no {name!r}")
    return found[name]


def _popped(found: dict[str, Floats], name: str) -> Integers:
    numbers = _named(found, name)
    del found[name]
    return numbers.astype(np.int64)
