"""A node's recent points, and its history, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import unquote

import msgspec
import numpy as np
import orjson
from aiohttp import web

from forge_collector.clock import Clock
from forge_collector.db import Database, Tx
from forge_collector.history import query, rules, store
from forge_collector.history.columns import Floats, Integers
from forge_collector.history.query import Answer, Line, Question
from forge_collector.history.rules import Span
from forge_collector.http.problems import invalid, not_found
from forge_collector.http.routing import VIEWER, Call, Route, json_response
from forge_shared.messages import LATEST_MS, History, NodeSnapshot, Point

_EXACT: Final = 2**53  # above it not every whole number is a double


class HistoryRoutes:
    """``interval_s``: how often a node usually pushes; None when there is no such node, with or
    without history. ``hours_kept``: how long every snapshot is."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        interval_s: Callable[[str], int | None],
        hours_kept: int,
    ) -> None:
        self._db = db
        self._clock = clock
        self._interval_s = interval_s
        self._hours_kept = hours_kept

    def routes(self) -> list[Route[Any]]:
        return [
            Route(
                "GET",
                "/api/nodes/{node_id}/snapshot",
                VIEWER,
                self.snapshot,
                f"A node's last {rules.SNAPSHOT_POINTS} points",
                replies={200: NodeSnapshot},
                problems=("not_found",),
            ),
            Route(
                "GET",
                "/api/nodes/{node_id}/history",
                VIEWER,
                self.history,
                "A node's history between two moments, as columns",
                replies={200: History},
                query={
                    "from": _moment("Where to begin; by default as far back as all is kept."),
                    "to": _moment("Where to end, itself not included; by default now."),
                    "points": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": rules.MAX_POINTS,
                        "default": rules.DEFAULT_POINTS,
                        "description": "At most so many; where there are more, in buckets.",
                    },
                    "metrics": {
                        "type": "string",
                        "description": "Names or keys, separated by commas; by default all.",
                    },
                },
                problems=("not_found", "invalid", "storage_failed"),
            ),
        ]

    async def snapshot(self, call: Call[None]) -> web.Response:
        node_id = call.path("node_id")
        self._interval_of(node_id)
        recorded = await self._db.read(lambda tx: store.recent(tx, node_id, rules.SNAPSHOT_POINTS))
        return json_response(NodeSnapshot(node_id, [_point(*row) for row in recorded]))

    async def history(self, call: Call[None]) -> web.Response:
        asked = self._question(call)

        def read(tx: Tx) -> bytes:
            return encoded(asked, query.answer(tx, asked))

        return web.Response(body=await self._db.read(read), content_type="application/json")

    def _question(self, call: Call[None]) -> Question:
        node_id = call.path("node_id")
        interval_s = self._interval_of(node_id)
        now_ms = self._clock.now_ms()
        return Question(
            node_id,
            self._span(call.request, now_ms),
            _whole_number(call.request, "points", 1, rules.MAX_POINTS) or rules.DEFAULT_POINTS,
            _wanted(call.request.query.getall("metrics", [])),
            rules.kept_since(now_ms, self._hours_kept),
            interval_s,
        )

    def _interval_of(self, node_id: str) -> int:
        interval_s = self._interval_s(node_id)
        if interval_s is None:
            raise not_found(f"node {node_id[:64]!r}")
        return interval_s

    def _span(self, request: web.Request, now_ms: int) -> Span:
        from_ms = _whole_number(request, "from", 0, LATEST_MS)
        to_ms = _whole_number(request, "to", 0, LATEST_MS)
        to_ms = now_ms if to_ms is None else to_ms
        if from_ms is None:
            from_ms = max(0, rules.kept_since(to_ms, self._hours_kept))
        if from_ms > to_ms:
            raise invalid("from", f"must not be later than 'to', which is {to_ms}")
        return Span(from_ms, to_ms)


def _moment(description: str) -> dict[str, Any]:
    return {
        "type": "integer",
        "minimum": 0,
        "maximum": LATEST_MS,
        "description": f"Unix ms. {description}",
    }


def _point(ts: int, body: bytes) -> Point:
    # Values are stored as the JSON they are sent as: no need to decode and encode them again.
    return Point(ts, msgspec.Raw(body))  # type: ignore[arg-type]


def _whole_number(request: web.Request, name: str, least: int, greatest: int) -> int | None:
    texts = request.query.getall(name, [])
    if not texts:
        return None
    if len(texts) > 1:
        raise invalid(name, "must be given once")
    (text,) = texts
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
    if not least <= number <= greatest:
        raise invalid(name, f"must be a whole number from {least} to {greatest}")
    return number


def _wanted(parameters: Sequence[str]) -> frozenset[str] | None:
    """Return the names and keys that were asked for. A comma within an instance is escaped once
    more, as ``%2C``; a key that has its parameter to itself needs no such care."""
    parts = [unquote(part) for parameter in parameters for part in parameter.split(",")]
    keys = [parameter for parameter in parameters if "/" in parameter.partition(",")[0]]
    return frozenset(part for part in [*parts, *keys] if part) or None


def encoded(asked: Question, answer: Answer) -> bytes:
    """Return a History as JSON. Its numbers go there from their arrays: there are ten thousands,
    and as Python objects each would cost more than all the rest."""
    return orjson.dumps(
        {
            "node_id": asked.node_id,
            "from": asked.span.from_ms,
            "to": asked.span.to_ms,
            "step_ms": answer.step_ms,
            "raw_since": asked.raw_since_ms,
            "ts": answer.ts,
            "series": {key: _encoded_line(line) for key, line in answer.lines.items()},
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def _encoded_line(line: Line) -> dict[str, object]:
    avg = _encoded_numbers(line.avg)
    if line.min is line.avg is line.max:
        return {"avg": avg, "min": avg, "max": avg}
    return {"avg": avg, "min": _encoded_numbers(line.min), "max": _encoded_numbers(line.max)}


def _encoded_numbers(numbers: Floats) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(_as_whole(numbers), option=orjson.OPT_SERIALIZE_NUMPY))


def _as_whole(numbers: Floats) -> Floats | Integers:
    """Return numbers that are all whole as such: they are shorter to write, and to read."""
    # NaN is neither equal to anything nor less.
    if (np.rint(numbers) == numbers).all() and (np.abs(numbers) < _EXACT).all():
        return numbers.astype(np.int64)
    return numbers
