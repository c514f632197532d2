"""Prediction: what a series reads next, told from itself and from the series before it.

Much of what a machine tells follows from the rest: available memory from used, the whole CPU from
its cores, the kernel's share from the whole and the user's. So a series is predicted linearly from
up to three earlier ones, or as what it read before, and only what differs is kept. The weights are
fitted to the stretch at hand by least squares and are stored with it. Both sides compute the same
prediction, bit for bit: it takes elementwise IEEE 754 products and sums, in one order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from forge_collector.history.columns import Floats, Integers

_MOST_SOURCES: Final = 3
_LARGEST: Final = 2.0**53
_HARDLY_RELATED: Final = 0.1  # correlation below which a source is not worth trying
_SOURCE_BYTES: Final = 10  # what naming one and its weight takes


class Model(NamedTuple):
    """How a series is predicted: ``start + round(offset + sum of weight * source)``.

    ``of_changes``: this holds for its change since the row before, from the sources' changes, and
    the series begins at ``start``. Otherwise it holds for the series itself, from how far each
    source is from its own first value. ``sources``: places of earlier series.
    """

    of_changes: bool
    start: int
    offset: float = 0.0
    sources: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()


class Fitted(NamedTuple):
    """A model, and what it leaves over."""

    model: Model
    residual: Integers


Cost = Callable[[Integers], int]


def restored(
    models: Sequence[Model], residuals: Integers, sources: Sequence[Sequence[int]]
) -> Integers:
    """Return the series that the residuals are left over of, one a row, as those are.

    ``sources``: in which rows each model's sources are, all of them before its own.
    """
    steps = residuals
    offsets = np.array([round(model.offset) for model in models])
    starts = np.array([model.start for model in models], np.int64)
    of_changes = np.array([model.of_changes for model in models])
    alone = np.array([not model.sources for model in models])
    # Most need no other series, and are restored together.
    steps += np.where(alone, offsets, 0)[:, None]
    steps[of_changes, 0] = starts[of_changes]
    steps[~of_changes] += starts[~of_changes, None]
    together = alone & of_changes
    steps[together] = np.cumsum(steps[together], axis=1)
    for row, model in enumerate(models):
        if model.sources:
            features = [_feature(model, steps[source]) for source in sources[row]]
            explained = _explained(model, features)
            steps[row] += explained
            if model.of_changes:
                steps[row, 0] = model.start
                np.cumsum(steps[row], out=steps[row])
    return steps


def residual_of(model: Model, steps: Integers, sources: Sequence[Integers]) -> Integers:
    """Return what the model leaves over of a series; the other way round than ``restored``."""
    explained = _explained(model, [_feature(model, source) for source in sources])
    if model.of_changes:
        left = _changes(steps) - explained
        left[0] = 0
        return left
    return steps - explained - model.start


class Predictor:
    """Fits a model to one series after the other, each from the ones before it.

    ``cost``: the bytes that a residual takes. ``is_thorough``: whether to look for what a series
    has in common with others, which takes most of the time.
    """

    def __init__(self, series: int, rows: int, cost: Cost, *, is_thorough: bool) -> None:
        self._cost = cost
        self._is_thorough = is_thorough
        self._fitted: list[Integers] = []
        places = series if is_thorough else 0
        self._levels = _Related(places, rows)
        self._changes = _Related(places, rows)

    def fit(self, steps: Integers, *, is_number: bool = True) -> Fitted:
        """Return the model that costs least, and let later series be predicted from this one.

        What is no number, but bits, is neither predicted from others nor are they from it.
        """
        if is_number:
            tried = [self._tried(model, steps) for model in self._models(steps)]
            fitted = min(tried, key=lambda each: each[0])[1]
        else:
            model = Model(of_changes=True, start=int(steps[0]))
            fitted = Fitted(model, residual_of(model, steps, []))
        self._fitted.append(steps)
        if self._is_thorough:
            self._levels.add(steps - steps.mean() if is_number else None)
            self._changes.add(_changes(steps).astype(np.float64) if is_number else None)
        return fitted

    def _tried(self, model: Model, steps: Integers) -> tuple[int, Fitted]:
        residual = residual_of(model, steps, [self._fitted[place] for place in model.sources])
        cost = self._cost(residual) + _SOURCE_BYTES * len(model.sources)
        return cost, Fitted(model, residual)

    def _models(self, steps: Integers) -> Iterator[Model]:
        first = int(steps[0])
        yield Model(of_changes=True, start=first)
        if len(steps) < 3 or (steps == first).all():
            return
        changes = _changes(steps)
        if usual := int(np.median(changes)):
            yield Model(of_changes=True, start=first, offset=_single(usual))
        yield Model(of_changes=False, start=int(np.median(steps)))
        if not self._is_thorough:
            return
        for sources, weights in self._changes.explaining(changes.astype(np.float64)):
            yield Model(True, first, 0.0, sources, weights)
        mean = float(steps.mean())
        for sources, weights in self._levels.explaining(steps.astype(np.float64) - mean):
            level = mean
            for place, weight in zip(sources, weights, strict=True):
                level += weight * (
                    float(self._fitted[place][0]) - float(self._fitted[place].mean())
                )
            if abs(level) < _LARGEST:
                yield Model(False, round(level), _single(level - round(level)), sources, weights)


class _Related:
    """Finds which of the rows taken up explain another, by orthogonal matching pursuit."""

    def __init__(self, series: int, rows: int) -> None:
        self._unit = np.zeros((series, rows))
        self._norms: list[float] = []

    def add(self, row: Floats | None) -> None:
        norm = 0.0 if row is None else float(np.linalg.norm(row))
        if row is not None and norm > 0:
            np.divide(row, norm, out=self._unit[len(self._norms)])
        self._norms.append(norm)

    def explaining(self, target: Floats) -> Iterator[tuple[tuple[int, ...], tuple[float, ...]]]:
        """Yield (places, weights) of the best row, then of the best two, and so on."""
        known = self._unit[: len(self._norms)]
        chosen: list[int] = []
        left = target
        for _ in range(min(_MOST_SOURCES, len(known))):
            likeness = np.abs(known @ left)
            likeness[chosen] = 0
            best = int(likeness.argmax())
            if likeness[best] <= _HARDLY_RELATED * float(np.linalg.norm(left)):
                return
            chosen.append(best)
            rows = known[chosen]
            shares = np.linalg.lstsq(rows @ rows.T, rows @ target, rcond=None)[0]
            left = target - shares @ rows
            weights = tuple(
                _single(float(share) / self._norms[place])
                for share, place in zip(shares, chosen, strict=True)
            )
            yield tuple(chosen), weights


def _single(number: float) -> float:
    """Return the nearest number of single precision: as good a weight, in half the bytes, and
    what is stored is what was reckoned with."""
    return float(np.float32(number))


def _feature(model: Model, source: Integers) -> Integers:
    return _changes(source) if model.of_changes else source - source[0]


def _changes(steps: Integers) -> Integers:
    changes = np.zeros_like(steps)
    np.subtract(steps[1:], steps[:-1], out=changes[1:])
    return changes


def _explained(model: Model, features: Sequence[Integers]) -> Integers | int:
    if not features:
        return round(model.offset)
    total = np.full(len(features[0]), model.offset)
    for weight, feature in zip(model.weights, features, strict=True):
        total += weight * feature
    explained: Integers = np.rint(np.clip(total, -_LARGEST, _LARGEST)).astype(np.int64)
    return explained
