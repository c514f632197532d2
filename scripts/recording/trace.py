"""A recording as columns, and the file that it is kept in: JSON of differences, xz.

What was counted stays counted: rates and shares are computed, and rounded, by whoever reads it,
with the agent's own arithmetic, so a recording outlives changes of a metric's resolution.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from forge_agent.core.rates import Baseline, Reading
from forge_shared import metrics

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]

_FORMAT: Final = 1
_MOST_DECIMALS: Final = 6
# More of a gauge says nothing; the kernel keeps loads in steps of 1/2048.
_GAUGE_DECIMALS: Final[Mapping[str, int]] = {"%": 3, "tasks": 4, "s": 2}
_MISSED_TURNS: Final = 3


class Piece(NamedTuple):
    """A stretch of readings without a gap, one place in each column a reading.

    ``ts``: Unix ms; ``monotonic_us`` counts from anywhere. The columns are those of a Reading,
    ``shares`` taken apart into ``parts`` and ``wholes``; NaN where a reading did not have one.
    """

    interval_ms: int
    ts: Integers
    monotonic_us: Integers
    gauges: Columns
    totals: Columns
    parts: Columns
    wholes: Columns

    @property
    def readings(self) -> int:
        return len(self.ts)

    @property
    def hours(self) -> float:
        return float(self.ts[-1] - self.ts[0]) / 3_600_000

    def baseline(self, place: int) -> Baseline:
        """Return one reading, as the agent has it in its hands."""
        shares = {
            key: (part, _at(self.wholes, place)[key])
            for key, part in _at(self.parts, place).items()
        }
        reading = Reading(_at(self.gauges, place), _at(self.totals, place), shares)
        return Baseline(int(self.ts[place]), self.monotonic_us[place] / 1e6, reading)


class Trace(NamedTuple):
    """``about``: on what it was recorded, and under which load."""

    about: str
    pieces: tuple[Piece, ...]

    @property
    def hours(self) -> float:
        return sum(piece.hours for piece in self.pieces)


def of_lines(lines: Iterable[str], about: str) -> Trace:
    """Return what ``scripts/record take`` wrote; a line that was cut short is left out."""
    readings = [reading for line in lines if (reading := _reading(line)) is not None]
    return Trace(about, tuple(_piece(rows) for rows in _stretches(readings)))


def packed(trace: Trace) -> bytes:
    pieces = [
        {
            "interval_ms": piece.interval_ms,
            "ts": _differences(piece.ts.astype(np.float64), 0),
            "monotonic_us": _differences((piece.monotonic_us).astype(np.float64), 0),
            "gauges": {key: _packed(key, column) for key, column in piece.gauges.items()},
            "totals": {key: _packed("", column) for key, column in piece.totals.items()},
            "parts": {key: _packed("", column) for key, column in piece.parts.items()},
            "wholes": {key: _packed("", column) for key, column in piece.wholes.items()},
        }
        for piece in trace.pieces
    ]
    whole = {"format": _FORMAT, "about": trace.about, "pieces": pieces}
    return lzma.compress(json.dumps(whole, separators=(",", ":")).encode(), preset=9)


def read(path: Path) -> Trace:
    """Return a packed recording; raises ValueError for one of another format."""
    whole: dict[str, Any] = json.loads(lzma.decompress(path.read_bytes()))
    if whole["format"] != _FORMAT:
        raise ValueError(f"{path} has the format {whole['format']}, not {_FORMAT}")
    return Trace(whole["about"], tuple(_unpacked_piece(piece) for piece in whole["pieces"]))


# --- from lines -------------------------------------------------------------------------------


def _reading(line: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:  # the recorder was ended while it wrote
        return None
    return found


def _stretches(readings: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Cut where readings are missing, where the pace changes and where the machine rebooted."""
    begin = 0
    for place in range(1, len(readings) + 1):
        if place == len(readings) or _is_cut(readings, begin, place):
            if place - begin > _MISSED_TURNS:
                yield readings[begin:place]
            begin = place


def _is_cut(readings: list[dict[str, Any]], begin: int, place: int) -> bool:
    pace_s = readings[begin + 1]["monotonic_s"] - readings[begin]["monotonic_s"]
    step_s = readings[place]["monotonic_s"] - readings[place - 1]["monotonic_s"]
    return not 0 < step_s < _MISSED_TURNS * pace_s


def _piece(rows: list[dict[str, Any]]) -> Piece:
    monotonic_us = np.array([round(row["monotonic_s"] * 1e6) for row in rows], np.int64)
    interval_ms = round(float(np.median(np.diff(monotonic_us))) / 1e3)
    shares: list[dict[str, list[float]]] = [row["shares"] for row in rows]
    return Piece(
        interval_ms,
        np.array([row["ts"] for row in rows], np.int64),
        monotonic_us,
        _columns([row["gauges"] for row in rows]),
        _columns([row["totals"] for row in rows]),
        _columns([{key: part for key, (part, _) in row.items()} for row in shares]),
        _columns([{key: whole for key, (_, whole) in row.items()} for row in shares]),
    )


def _columns(rows: list[dict[str, float]]) -> dict[str, Floats]:
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: np.array([row.get(key, np.nan) for row in rows], np.float64) for key in keys}


# --- in and out of the file -------------------------------------------------------------------


def _packed(key: str, column: Floats) -> dict[str, Any]:
    metric = metrics.METRICS.get(metrics.split(key)[0])
    most = _GAUGE_DECIMALS.get(metric.unit, _MOST_DECIMALS) if metric else _MOST_DECIMALS
    column = np.round(column, most)
    there = column[~np.isnan(column)]
    decimals = next(
        (few for few in range(most) if np.array_equal(np.round(there, few), there)), most
    )
    return {"decimals": decimals, "steps": _differences(column, decimals)}


def _differences(column: Floats, decimals: int) -> list[int | None]:
    """Return the first number in whole steps, then each one's difference to the one before it;
    null where there is none."""
    found: list[int | None] = []
    before = 0
    for value in column.tolist():
        if value != value:  # noqa: PLR0124  NaN
            found.append(None)
            continue
        steps = round(value * 10**decimals)
        found.append(steps - before)
        before = steps
    return found


def _unpacked_piece(piece: dict[str, Any]) -> Piece:
    gauges, totals, parts, wholes = (
        {key: _unpacked(**column) for key, column in piece[name].items()}
        for name in ("gauges", "totals", "parts", "wholes")
    )
    return Piece(
        piece["interval_ms"],
        np.cumsum(np.array(piece["ts"], np.int64)),
        np.cumsum(np.array(piece["monotonic_us"], np.int64)),
        gauges,
        totals,
        parts,
        wholes,
    )


def _unpacked(decimals: int, steps: list[int | None]) -> Floats:
    there = np.array([step is not None for step in steps])
    sums = np.cumsum(np.array([step or 0 for step in steps], np.int64))
    return np.where(there, sums / 10**decimals, np.nan)


def _at(columns: Columns, place: int) -> dict[str, float]:
    found = ((key, float(column[place])) for key, column in columns.items())
    return {key: value for key, value in found if value == value}  # noqa: PLR0124  not NaN
