"""Tables of numbers as sealed bytes: named series of one length, some with holes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from forge_collector.history.codec import frame, numbers, prediction
from forge_collector.history.codec.frame import DamagedError
from forge_collector.history.codec.numbers import Grid, Scale
from forge_collector.history.codec.prediction import Model
from forge_collector.history.codec.streams import Packer, Unpacker
from forge_collector.history.columns import Floats, Integers

Wanted = Callable[[str], bool]

_MOST_ROWS: Final = 10_000_000
_MOST_COMPARED: Final = 4_000_000  # numbers; comparing series takes twice their memory


class _Field(msgspec.Struct, array_like=True):
    """One series, as the description of a frame tells it.

    ``weights``: of its model, the offset first, in single precision. ``sizes``: the bytes of its
    three streams: where it has numbers (0 when everywhere), its residual's codes and extra bits.
    """

    name: str
    scale: Scale
    of_changes: bool
    start: int
    sources: tuple[int, ...]
    weights: bytes
    sizes: tuple[int, int, int]


class _Description(msgspec.Struct, array_like=True):
    rows: int
    fields: list[_Field]


class Table(NamedTuple):
    """``series``: name to numbers, NaN where there is none."""

    rows: int
    series: Mapping[str, Floats]


def encode(rows: int, series: Mapping[str, Floats], *, is_thorough: bool = True) -> bytes:
    """Return the series as sealed bytes. What comes first helps to predict what comes later.

    ``is_thorough``: take several times as long to make it as small as can be.
    """
    packer = Packer(rows, is_thorough=is_thorough)
    predictor = prediction.Predictor(
        len(series),
        rows,
        packer.cost,
        is_thorough=is_thorough and rows * len(series) <= _MOST_COMPARED,
    )
    fields: list[_Field] = []
    streams: list[bytes] = []
    for name, column in series.items():
        is_there, full = _filled(column)
        holes = b"" if is_there is None else packer.deflate(np.packbits(is_there).tobytes())
        scale, steps = numbers.to_steps(full)
        model, residual = predictor.fit(steps, is_number=scale.grid is not Grid.BITS)
        parts = (holes, *packer.pack(residual))
        fields.append(_field(name, scale, model, parts))
        streams += parts
    description = msgspec.msgpack.encode(_Description(rows, fields))
    return frame.seal(description, b"".join(streams))


def decode(sealed: bytes, wanted: Wanted | None = None) -> Table:
    """Return the wanted series, all by default; raises DamagedError."""
    packed, streams = frame.unseal(sealed)
    try:
        described = msgspec.msgpack.decode(packed, type=_Description)
        return _Decoder(described, streams).table(wanted)
    except (msgspec.DecodeError, ValueError, LookupError, OverflowError) as error:
        # The checksum held, so what wrote it was wrong.
        raise DamagedError(f"it contradicts itself: {error}") from None


class _Decoder:
    """Decodes the wanted series, and those that they were predicted from, each once."""

    def __init__(self, described: _Description, streams: memoryview) -> None:
        if not 0 < described.rows <= _MOST_ROWS:
            raise DamagedError(f"it tells of {described.rows} rows")
        self._rows = described.rows
        self._fields = described.fields
        self._streams = streams
        ends = accumulate(size for field in described.fields for size in field.sizes)
        self._ends = [0, *ends]
        self._unpacker = Unpacker()

    def table(self, wanted: Wanted | None) -> Table:
        asked = [
            place
            for place, field in enumerate(self._fields)
            if wanted is None or wanted(field.name)
        ]
        needed = self._needed(asked)
        steps = self._steps(needed)
        rows = {place: row for row, place in enumerate(needed)}
        columns = self._numbers(asked, steps[[rows[place] for place in asked]])
        names = [self._fields[place].name for place in asked]
        return Table(self._rows, dict(zip(names, columns, strict=True)))

    def _needed(self, asked: Iterable[int]) -> list[int]:
        """Return the places of what was asked for and of all it builds upon, in order."""
        needed = set(asked)
        for place in range(len(self._fields) - 1, -1, -1):
            if place in needed:
                needed.update(self._fields[place].sources)
        return sorted(needed)

    def _steps(self, needed: Sequence[int]) -> Integers:
        """Return the steps of these fields, one a row."""
        streams = [(self._stream(place, 1), self._stream(place, 2)) for place in needed]
        residuals = self._unpacker.unpack(self._rows, streams)
        models = [_model(self._fields[place]) for place in needed]
        rows = {place: row for row, place in enumerate(needed)}
        sources = [[rows[source] for source in model.sources] for model in models]
        return prediction.restored(models, residuals, sources)

    def _numbers(self, places: Sequence[int], steps: Integers) -> list[Floats]:
        """Return these fields' numbers, from their steps, one a row."""
        columns = numbers.to_columns([self._fields[place].scale for place in places], steps)
        return [
            self._with_holes(place, column) for place, column in zip(places, columns, strict=True)
        ]

    def _with_holes(self, place: int, column: Floats) -> Floats:
        holes = self._stream(place, 0)
        if not holes:
            return column
        bits = self._unpacker.inflate(holes, (self._rows + 7) // 8)
        is_there = np.unpackbits(np.frombuffer(bits, np.uint8), count=self._rows)
        return np.where(is_there, column, np.nan)

    def _stream(self, place: int, which: int) -> memoryview:
        begin, end = self._ends[3 * place + which : 3 * place + which + 2]
        return self._streams[begin:end]


def _field(name: str, scale: Scale, model: Model, parts: tuple[bytes, bytes, bytes]) -> _Field:
    weights = (model.offset, *model.weights)
    packed = np.array(weights if model.sources or model.offset else (), "<f4").tobytes()
    holes, codes, extra = map(len, parts)
    return _Field(
        name, scale, model.of_changes, model.start, model.sources, packed, (holes, codes, extra)
    )


def _model(field: _Field) -> Model:
    if not field.weights and not field.sources:
        return Model(field.of_changes, field.start)
    offset, *weights = np.frombuffer(field.weights, "<f4").tolist() or [0.0]
    if len(weights) != len(field.sources):
        raise DamagedError(f"{len(field.sources)} sources have {len(weights)} weights")
    return Model(field.of_changes, field.start, offset, field.sources, tuple(weights))


def _filled(column: Floats) -> tuple[NDArray[np.bool_] | None, Floats]:
    """Return where the numbers are, None for everywhere, and the column with each hole filled by
    the number before it, or the first there is: that costs least."""
    is_there = ~np.isnan(column)
    if is_there.all():
        return None, column
    places = np.where(is_there, np.arange(len(column)), -1)
    np.maximum.accumulate(places, out=places)
    return is_there, column[np.where(places < 0, is_there.argmax(), places)]
