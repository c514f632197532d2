"""A node's history told the slow way: from a list, with nothing but loops. Answers of the real
thing are held against it, point by point."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Final, NamedTuple

from forge_shared.messages import History
from forge_shared.metrics import METRICS

STEPS_S: Final = (
    *(2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 25, 30, 40, 50),
    *(60, 75, 100, 120, 150, 200, 300, 600),
)


class Sent(NamedTuple):
    """A snapshot as a node sent it; ``offset_ms``: its boot's, as the collector measured it."""

    boot: str
    seq: int
    ts: int
    values: Mapping[str, float]
    offset_ms: int = 0

    @property
    def at(self) -> int:
        return self.ts + (self.offset_ms if abs(self.offset_ms) > 5_000 else 0)


class Told(NamedTuple):
    step_ms: int
    ts: list[int]
    series: dict[str, dict[str, list[float | None]]]


def history(
    sent: Iterable[Sent],
    from_ms: int,
    to_ms: int,
    *,
    points: int = 300,
    wanted: Collection[str] | None = None,
    raw_since: int = 0,
    interval_s: int = 5,
) -> Told:
    """Return what the history of these snapshots has to be; of one sent twice the first counts."""
    kept: dict[tuple[str, int], Sent] = {}
    for snapshot in sent:
        kept.setdefault((snapshot.boot, snapshot.seq), snapshot)
    snapshots = sorted(kept.values(), key=lambda snapshot: snapshot.at)
    inside = [snapshot for snapshot in snapshots if from_ms <= snapshot.at < to_ms]
    is_raw_kept = from_ms >= raw_since - 60_000
    if is_raw_kept and len(inside) <= points:
        return _each(inside, wanted, interval_s)
    step_ms = step(from_ms, to_ms, points, 0 if is_raw_kept else 600_000)
    if step_ms < 600_000:
        step_ms = step(
            from_ms, to_ms, points, _rhythm(snapshots, from_ms, to_ms, step_ms, interval_s)
        )
    return _buckets(snapshots, from_ms, to_ms, step_ms, wanted)


def step(from_ms: int, to_ms: int, points: int, at_least_ms: int) -> int:
    steps: list[int] = [*STEPS_S, *range(1200, 400_000_000, 600)]
    return next(
        s * 1000
        for s in steps
        if s * 1000 >= at_least_ms and len(_starts(from_ms, to_ms, s * 1000, points + 1)) <= points
    )


def _starts(from_ms: int, to_ms: int, step_ms: int, enough: int) -> list[int]:
    starts = range(from_ms - from_ms % step_ms, to_ms, step_ms)
    return list(starts[:enough])


def _rhythm(
    snapshots: Sequence[Sent], from_ms: int, to_ms: int, step_ms: int, interval_s: int
) -> int:
    first, end = from_ms - from_ms % step_ms, to_ms + -to_ms % step_ms
    times = [snapshot.at for snapshot in snapshots if first <= snapshot.at < end]
    apart = [after - before for before, after in pairwise(times)]
    return max((distance for distance in apart if distance <= interval_s * 1500), default=0)


def _is_wanted(key: str, wanted: Collection[str] | None) -> bool:
    return wanted is None or key in wanted or key.partition("/")[0] in wanted


def _keys(snapshots: Iterable[Sent], wanted: Collection[str] | None) -> list[str]:
    keys = {key for snapshot in snapshots for key in snapshot.values}
    return [key for key in keys if _is_wanted(key, wanted)]


def _each(snapshots: Sequence[Sent], wanted: Collection[str] | None, interval_s: int) -> Told:
    points: list[tuple[int, Mapping[str, float]]] = []
    for snapshot in snapshots:
        if points and snapshot.at - points[-1][0] > max(15_000, 3000 * interval_s):
            points.append((points[-1][0] + interval_s * 1000, {}))
        points.append((snapshot.at, snapshot.values))
    series = {
        key: {name: [values.get(key) for _, values in points] for name in ("avg", "min", "max")}
        for key in _keys(snapshots, wanted)
    }
    return Told(1, [ts for ts, _ in points], series)


def _buckets(
    snapshots: Sequence[Sent],
    from_ms: int,
    to_ms: int,
    step_ms: int,
    wanted: Collection[str] | None,
) -> Told:
    starts = _starts(from_ms, to_ms, step_ms, 10_000)
    inside: dict[int, list[Sent]] = {start: [] for start in starts}
    for snapshot in snapshots:
        start = snapshot.at - snapshot.at % step_ms
        if start in inside:
            inside[start].append(snapshot)
    while starts and not inside[starts[0]]:
        starts.pop(0)
    while starts and not inside[starts[-1]]:
        starts.pop()
    within = [snapshot for start in starts for snapshot in inside[start]]
    series: dict[str, dict[str, list[float | None]]] = {}
    for key in _keys(within, wanted):
        numbers = [
            [snapshot.values[key] for snapshot in inside[start] if key in snapshot.values]
            for start in starts
        ]
        series[key] = {
            "avg": [fmean(some) if some else None for some in numbers],
            "min": [min(some) if some else None for some in numbers],
            "max": [max(some) if some else None for some in numbers],
        }
    return Told(step_ms, starts, series)


def check(found: History, told: Told, *, roundings: int = 1) -> None:
    """Hold an answer against what it has to be. An average may differ by rounding alone, which it
    is once; and once more where it is of averages that were stored."""
    assert found.step_ms == told.step_ms
    assert found.ts == told.ts
    assert found.series.keys() == told.series.keys()
    if told.step_ms == 1:
        assert _rows(found.ts, {key: line.avg for key, line in found.series.items()}) == _rows(
            told.ts, {key: lines["avg"] for key, lines in told.series.items()}
        )
    for key, lines in told.series.items():
        line = found.series[key]
        if told.step_ms == 1:
            assert line.avg == line.min == line.max
            continue
        assert line.min == lines["min"], key
        assert line.max == lines["max"], key
        for ours, theirs in zip(line.avg, lines["avg"], strict=True):
            if ours is None or theirs is None:
                assert ours is theirs is None, key
            else:
                assert abs(ours - theirs) <= roundings * _rounding(key) + abs(theirs) * 1e-9, key


def _rows(
    times: Sequence[int], series: Mapping[str, Sequence[float | None]]
) -> list[tuple[int, list[tuple[str, float]]]]:
    """Return the points one by one, those of the same moment in one order."""
    return sorted(
        (
            ts,
            sorted(
                (key, number)
                for key, numbers in series.items()
                if (number := numbers[place]) is not None
            ),
        )
        for place, ts in enumerate(times)
    )


def _rounding(key: str) -> float:
    metric = METRICS.get(key.partition("/")[0])
    return metric.resolution / 2 if metric else 0.0
