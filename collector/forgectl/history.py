"""A node's history as lines of text, page by page.

A page is a request of its own, short enough that every snapshot in it comes for itself: the
collector holds nothing between two of them, however slowly the lines are read.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from string import digits
from typing import Final, NamedTuple, Protocol
from urllib.parse import quote, urlencode

from forge_shared.messages import History
from forge_shared.metrics import METRICS, split
from forgectl import moments
from forgectl.client import Client, ClientError

FORMATS: Final = ("csv", "ndjson")

_AVERAGED_MS: Final = 600_000
_FIRST_PAGE_MS: Final = 3_600_000
_LONGEST_PAGE_MS: Final = 86_400_000
_PAGE_POINTS: Final = 1800
_FEW_POINTS: Final = _PAGE_POINTS // 2
_OUTLINE_POINTS: Final = 48
_OUTLINES: Final = 5
_NOBODYS: Final = "-"  # the name of no metric
_EXACT: Final = 2**53

Number = int | float | None
Notice = Callable[[str], None]


class Span(NamedTuple):
    """from_ms <= ts < to_ms, Unix ms."""

    from_ms: int
    to_ms: int


class Page(NamedTuple):
    """Points, oldest first. ``step_ms``: 1 for snapshots, else the time each is the average of.
    ``series``: by key, one number a point."""

    step_ms: int
    ts: Sequence[int]
    series: dict[str, list[Number]]


class Asked(Protocol):
    """Whoever is asked for history."""

    def ask(self, span: Span, points: int) -> History: ...


class Source:
    """One node's history at one collector. ``metrics``: as --metrics gave them; empty for all."""

    def __init__(self, client: Client, node_id: str, metrics: Sequence[str] = ()) -> None:
        self._client = client
        self._path = f"/api/nodes/{quote(node_id, safe='')}/history"
        self._metrics = metrics

    def now_ms(self) -> int:
        """Return the collector's clock."""
        return self._get({"metrics": _NOBODYS, "points": 1}).to

    def ask(self, span: Span, points: int) -> History:
        parameters = {"from": span.from_ms, "to": span.to_ms, "points": points}
        return self._get({**parameters, "metrics": self._metrics})

    def _get(self, parameters: dict[str, object]) -> History:
        return self._client.get(f"{self._path}?{urlencode(parameters, doseq=True)}", History)


def lines(
    source: Source, since: str, until: str | None, form: str, notice: Notice
) -> Iterator[str]:
    """Yield a node's history as text, a page at a time. ``since`` and ``until``: as ``moments``
    reads them. ``notice`` is told what a reader has to know and the format does not say; raises
    ClientError."""
    outline = _outline(source, _span(since, until, source.now_ms()))
    if not outline.keys:
        notice("There is nothing in that time.")
    span, keys = outline
    pages = _telling(pages_of(source, span), notice)
    yield from _csv(pages, keys, notice) if form == "csv" else _ndjson(pages)


def _span(since: str, until: str | None, now_ms: int) -> Span:
    from_ms = moments.read(since, now_ms)
    to_ms = now_ms if until is None else min(now_ms, moments.read(until, now_ms))
    if not 0 <= from_ms <= to_ms:
        raise ClientError(
            "--since must be before --until, and before now by the collector's clock."
        )
    return Span(from_ms, to_ms)


class _Outline(NamedTuple):
    """The part of a span that holds anything, roughly, and the series in it."""

    span: Span
    keys: list[str]


def _outline(source: Source, span: Span) -> _Outline:
    for _ in range(_OUTLINES):
        told = source.ask(span, _OUTLINE_POINTS)
        if not told.series:
            return _Outline(Span(0, 0), [])
        before = span
        span = Span(max(before.from_ms, told.ts[0]), min(before.to_ms, told.ts[-1] + told.step_ms))
        if 2 * (span.to_ms - span.from_ms) > before.to_ms - before.from_ms:
            break
    return _Outline(span, sorted(told.series, key=_place))


def _place(key: str) -> tuple[int, list[tuple[int, str]]]:
    """Return where a series stands: as the table of metrics has it, instances by number."""
    name, instance = split(key)
    row = list(METRICS).index(name) if name in METRICS else len(METRICS)
    parts: list[str] = re.findall(r"[0-9]{1,18}|[^0-9]+", instance or "")
    return row, [(0, name), *((int(part) if part[0] in digits else -1, part) for part in parts)]


# --- pages --------------------------------------------------------------------------------------


def pages_of(source: Asked, span: Span) -> Iterator[Page]:
    """Yield what a span holds: every snapshot where they are kept, ten-minute averages before."""
    at, page_ms, raw_since = span.from_ms, _FIRST_PAGE_MS, 0
    while at < span.to_ms:
        end = min(at + page_ms, span.to_ms)
        # To who is just too late for single snapshots the collector still gives what it has of
        # them. Amid averages that would be a hole: a page of those begins a little earlier.
        early_ms = _AVERAGED_MS if span.from_ms < at < raw_since else 0
        told = source.ask(Span(at - early_ms, end), _PAGE_POINTS)
        raw_since = told.raw_since
        if span.from_ms < at < raw_since and not early_ms:
            continue
        if told.step_ms >= _AVERAGED_MS and at < raw_since:
            # Where single snapshots begin to be kept, averages end.
            end = min(_next_average(end), _next_average(raw_since))
            begin = at // _AVERAGED_MS * _AVERAGED_MS if at == span.from_ms else at
            yield _page(told, Span(begin, end))
            at = end
        elif told.step_ms == 1 or end - at == 1:
            yield _page(told, Span(at, end))
            at = end
            if len(told.ts) < _FEW_POINTS:
                page_ms = min(2 * page_ms, _LONGEST_PAGE_MS)
        else:
            page_ms = (end - at) // 2


def _next_average(ms: int) -> int:
    return -(-ms // _AVERAGED_MS) * _AVERAGED_MS


def _page(told: History, span: Span) -> Page:
    """Return the points within a span at which anything was measured."""
    columns = [line.avg for line in told.series.values()]
    places = [
        place
        for place, ts in enumerate(told.ts)
        if span.from_ms <= ts < span.to_ms and any(column[place] is not None for column in columns)
    ]
    return Page(
        told.step_ms,
        [told.ts[place] for place in places],
        {key: [line.avg[place] for place in places] for key, line in told.series.items()},
    )


def _telling(pages: Iterable[Page], notice: Notice) -> Iterator[Page]:
    """Pass pages on, and tell where averages end and snapshots begin."""
    were_averages = False
    for page in pages:
        if page.step_ms > 1 and page.ts and not were_averages:
            were_averages = True
            notice(
                f"From {moments.iso(page.ts[0])} on these are averages over ten minutes: single "
                "snapshots are no longer kept."
            )
        elif page.step_ms == 1 and page.ts and were_averages:
            were_averages = False
            notice(f"From {moments.iso(page.ts[0])} on these are single snapshots.")
        yield page


# --- formats ------------------------------------------------------------------------------------


def _csv(pages: Iterable[Page], keys: Sequence[str], notice: Notice) -> Iterator[str]:
    """Yield a header, then a line a point; a series that a point does not have is empty there."""
    yield _csv_lines([["ts", "time", *keys]])
    left_out: set[str] = set()
    for page in pages:
        for key in sorted(page.series.keys() - left_out - set(keys)):
            left_out.add(key)
            notice(f"{key} was not there when the header was written, and is left out.")
        nothing: list[Number] = [None] * len(page.ts)
        columns = [map(_text, page.series.get(key, nothing)) for key in keys]
        yield _csv_lines(zip(page.ts, map(moments.iso, page.ts), *columns, strict=True))


def _csv_lines(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _ndjson(pages: Iterable[Page]) -> Iterator[str]:
    """Yield a line a point, with the series it has, and step_ms where it is an average."""
    for page in pages:
        keys = sorted(page.series, key=_place)
        step = {} if page.step_ms == 1 else {"step_ms": page.step_ms}
        points = []
        for ts, *numbers in zip(page.ts, *(page.series[key] for key in keys), strict=True):
            values = {
                key: _plain(number)
                for key, number in zip(keys, numbers, strict=True)
                if number is not None
            }
            point = json.dumps({"ts": ts, **step, "values": values}, ensure_ascii=False)
            points.append(point + "\n")
        yield "".join(points)


def _text(number: Number) -> str:
    return "" if number is None else str(_plain(number))


def _plain(number: float) -> float:
    """Return a number as it is written shortest."""
    whole = int(number)
    return whole if whole == number and abs(whole) < _EXACT else number
