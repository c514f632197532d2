"""Many hours of several nodes from a recording of a few, without repeating it.

A node passes over the recording again and again, each time with other eyes: a recording at 1 s is
seen at 5 s in five phases, which are five different series of real readings, and each pass is of a
machine that is a bit busier or calmer. What is scaled is what the kernel counted, in whole steps,
and levels' distance from their mean; rates, shares and rounding are then the agent's own. So what
holds on a machine still holds (sums, totals, zeros, what stands still, saturation, the memory of
load averages), and no figure has noise that the machine did not have.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from forge_agent.core import rates, values
from forge_shared import metrics
from scripts.benches import load_average
from scripts.recording.trace import Floats, Piece, Trace

_CALMEST: Final = 0.7
_PAGE: Final = 4096.0
_JIFFIES_PER_S: Final = 100.0
_CPU: Final = "cpu.pct"
_CORE: Final = "cpu.core_pct/"
_SHARES_OF_BUSY: Final = ("cpu.user_pct", "cpu.system_pct")
_IOWAIT: Final = "cpu.iowait_pct"
_AGENTS_OWN: Final[Mapping[str, float]] = {"agent.spool_bytes": 0, "agent.dropped_snapshots": 0}

Places = NDArray[np.intp]
Values = dict[str, int | float]


class Sample(NamedTuple):
    """A snapshot's time and its values, rounded as the agent does."""

    ts: int
    values: Values


class View(NamedTuple):
    """A piece of the recording as an agent sees it that samples at these places."""

    piece: Piece
    places: Places

    @property
    def samples(self) -> int:
        """How many snapshots it gives: the first reading is only there to compare with."""
        return len(self.places) - 1


def views(trace: Trace, interval_ms: int) -> list[View]:
    """Return the recording in every phase: each is a series of readings of its own."""
    found: list[View] = []
    for piece in trace.pieces:
        stride = max(1, round(interval_ms / piece.interval_ms))
        # By the clock: the recorder may have missed a turn, as an agent may.
        since_us = piece.monotonic_us - piece.monotonic_us[0]
        turns = np.round(since_us / (piece.interval_ms * 1000)).astype(np.int64)
        for phase in range(stride):
            places = np.flatnonzero(turns % stride == phase)
            places = places[np.diff(turns[places], prepend=-1) > 0]
            if len(places) > 1:
                found.append(View(piece, places))
    return found


def cycle_hours(trace: Trace, interval_ms: int) -> float:
    """Return after how long a node comes back to the same readings (as another machine)."""
    return sum(view.samples for view in views(trace, interval_ms)) * interval_ms / 3_600_000


def as_recorded(view: View, start_ms: int) -> list[Sample]:
    """Return what an agent sent that sampled so, on the machine as it was."""
    return _samples(view, 1.0, start_ms, start_ms)


def node(
    trace: Trace, number: int, *, start_ms: int, hours: float, interval_ms: int = 5000
) -> Iterator[Sample]:
    """Yield a node's snapshots; the same number, the same snapshots."""
    draw = random.Random(number)  # noqa: S311  figures, not secrets
    end_ms = start_ms + round(hours * 3_600_000)
    booted_ms = start_ms - draw.randrange(3_600_000, 90 * 86_400_000)
    ts = start_ms + draw.randrange(interval_ms) - interval_ms
    cycle = views(trace, interval_ms)
    draw.shuffle(cycle)
    skipped = draw.randrange(cycle[0].samples)
    while True:
        for view in cycle:
            if view.samples == 0:
                continue
            activity = _CALMEST ** draw.uniform(-1, 1)
            begin, skipped = skipped, 0
            for sample in _samples(_later(view, begin), activity, ts, booted_ms):
                if sample.ts >= end_ms:
                    return
                ts = sample.ts
                yield sample


def _later(view: View, begin: int) -> View:
    return View(view.piece, view.places[begin:])


def _samples(view: View, activity: float, began_ms: int, booted_ms: int) -> list[Sample]:
    """Return what the agent of a machine so much busier sends; ``began_ms``: the reading that the
    first is compared with."""
    seen = scaled(seen_at(view), activity)
    found: list[Sample] = []
    before = seen.baseline(0)
    for place in range(1, seen.readings):
        after = seen.baseline(place)
        ts = began_ms + int(seen.ts[place] - seen.ts[0])
        gauges = {**after.reading.gauges, "uptime.s": (ts - booted_ms) / 1000}
        measured = {**_AGENTS_OWN, **gauges, **rates.rates(before, after)}
        found.append(Sample(ts, values.fitted(measured)))
        before = after
    return found


def seen_at(view: View) -> Piece:
    """Return the readings at a view's places alone."""
    piece, places = view

    def taken(columns: Mapping[str, Floats]) -> dict[str, Floats]:
        return {key: column[places] for key, column in columns.items()}

    return Piece(
        piece.interval_ms,
        piece.ts[places],
        piece.monotonic_us[places],
        taken(piece.gauges),
        taken(piece.totals),
        taken(piece.parts),
        taken(piece.wholes),
    )


# --- another machine --------------------------------------------------------------------------


def scaled(piece: Piece, activity: float) -> Piece:
    """Return the piece on a machine that did ``activity`` times as much."""
    if activity == 1:
        return piece
    gauges = dict(piece.gauges)
    gauges |= _memory(gauges, "mem", activity)
    gauges |= _memory(gauges, "swap", activity)
    gauges |= _disks(gauges, activity)
    gauges |= load_average.scaled(gauges, activity)
    if "proc.count" in gauges:
        gauges["proc.count"] = np.round(_spread(gauges["proc.count"], activity))
    return piece._replace(
        gauges=gauges,
        totals={key: _counter(column, activity) for key, column in piece.totals.items()},
        parts=_busy(piece, activity),
    )


def _counter(column: Floats, activity: float) -> Floats:
    """Scale a counter's growth, in the steps that it has: sectors, pages, operations or bytes."""
    growth = np.diff(column, prepend=column[:1])
    there = growth[np.isfinite(growth) & (growth > 0)].astype(np.int64)
    step = float(np.gcd.reduce(there)) if len(there) else 1.0
    grown = np.nancumsum(growth * activity)
    return np.where(np.isnan(column), np.nan, np.floor(grown / step) * step)


def _busy(piece: Piece, activity: float) -> dict[str, Floats]:
    """Scale busy against idle time, core by core, so that none and all of it stay what they are;
    the machine's total follows from its cores, and what it was spent on from the total."""
    parts, wholes = dict(piece.parts), piece.wholes
    if _CPU not in parts:
        return parts
    cores = [key for key in parts if key.startswith(_CORE)]
    growth = {key: _growth(column) for key, column in parts.items()}
    room = {key: _growth(column) for key, column in wholes.items()}
    more = {key: _against_idle(growth[key], room[key], activity) for key in cores or [_CPU]}
    before = growth[_CPU]
    if cores:
        # Read a moment later than the cores: the difference is the machine's own.
        later = before - sum(growth[key] for key in cores)
        busy = np.clip(sum(more[key] for key in cores) + later, 0, room[_CPU])
    else:
        busy = more[_CPU]
    more[_CPU] = busy
    for key in _SHARES_OF_BUSY:
        if key in parts:
            more[key] = growth[key] * _ratio(busy, before)
    if _IOWAIT in parts:
        more[_IOWAIT] = growth[_IOWAIT] * _ratio(room[_CPU] - busy, room[_CPU] - before)
    jiffies = {key: np.floor(np.cumsum(column) * _JIFFIES_PER_S) for key, column in more.items()}
    return {**parts, **{key: column / _JIFFIES_PER_S for key, column in jiffies.items()}}


def _against_idle(busy: Floats, whole: Floats, activity: float) -> Floats:
    idle = np.maximum(whole - busy, 0)
    return whole * _ratio(activity * busy, activity * busy + idle)


def _memory(gauges: Mapping[str, Floats], name: str, activity: float) -> dict[str, Floats]:
    used, total = gauges.get(f"{name}.used_bytes"), gauges.get(f"{name}.total_bytes")
    if used is None or total is None:
        return {}
    used = np.clip(_spread(used, activity, _PAGE), 0, total)
    found = {f"{name}.used_bytes": used}
    if f"{name}.available_bytes" in gauges:
        found[f"{name}.available_bytes"] = total - used
    if f"{name}.pct" in gauges:
        found[f"{name}.pct"] = 100 * _ratio(used, total)
    return found


def _disks(gauges: Mapping[str, Floats], activity: float) -> dict[str, Floats]:
    found: dict[str, Floats] = {}
    for key, column in gauges.items():
        metric, mount = metrics.split(key)
        if metric != "disk.used_bytes":
            continue
        used = np.clip(_spread(column, activity, _PAGE), 0, None)
        found[key] = used
        share = gauges.get(f"disk.pct/{mount}")
        if share is not None:
            # Of what is not reserved; the system tells it to one decimal.
            found[f"disk.pct/{mount}"] = np.round(used * np.nanmedian(share / column), 1)
    return found


def _spread(level: Floats, activity: float, step: float = 1.0) -> Floats:
    """Scale a level's distance from its mean."""
    mean = math.floor(np.nanmean(level) / step) * step
    spread: Floats = np.round((mean + (level - mean) * activity) / step) * step
    return spread


def _growth(column: Floats) -> Floats:
    return np.nan_to_num(np.diff(column, prepend=column[:1]))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
