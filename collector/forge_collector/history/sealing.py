"""Sealing: fresh snapshots become short chunks, short chunks longer ones, and those are rolled up.

All of it is pure: what is read from the store comes in, what is to be put there goes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from forge_collector.history import codec, columns, rules
from forge_collector.history.buckets import Buckets
from forge_collector.history.codec import DamagedError
from forge_collector.history.columns import Columns


class Span(NamedTuple):
    """A boot's snapshots with begins <= observed_at < begins + span_ms."""

    boot: int
    span_ms: int
    begins: int

    @property
    def ends(self) -> int:
        return self.begins + self.span_ms


class Chunk(NamedTuple):
    """Sealed snapshots of a span. ``first_ts`` and ``last_ts``: the least and the greatest ts, as
    the node sent them. ``body``: encoded Columns."""

    span: Span
    snapshots: int
    first_seq: int
    last_seq: int
    first_ts: int
    last_ts: int
    body: bytes


class Rollup(NamedTuple):
    """What a chunk was rolled up to. ``correction_ms``: what was added to the node's times.
    ``body``: encoded Buckets, of which the first begins at ``first_ts``, the last at ``last_ts``.
    """

    correction_ms: int
    first_ts: int
    last_ts: int
    body: bytes


class Part(NamedTuple):
    """A chunk that is to become a part of another."""

    span: Span
    body: bytes


class LossError(Exception):
    """What was packed does not unpack to the same: nothing may be replaced by it."""


class Made(NamedTuple):
    """What sealing made of fresh rows and of parts. ``chunk``: None when nothing could be read.
    ``replaced``: the parts that are in it; ``damaged``: those that could not be read."""

    chunk: Chunk | None
    rollup: Rollup | None
    replaced: list[Span]
    damaged: list[Span]


def made(span: Span, fresh: Columns, parts: Iterable[Part], correction_ms: int) -> Made:
    """Make one chunk of a span from its fresh rows and the chunks there are of it.

    The shortest ones are soon merged: they are packed in a hurry, and not rolled up. Raises
    LossError.
    """
    is_final = span.span_ms > rules.SPANS_MS[0]
    found = [fresh]
    replaced: list[Span] = []
    damaged: list[Span] = []
    for part in parts:
        try:
            found.append(codec.decode_columns(part.body))
        except DamagedError:
            damaged.append(part.span)
        else:
            replaced.append(part.span)
    joined = columns.joined(found)
    if not len(joined):
        return Made(None, None, [], damaged)
    joined = joined.taken(np.unique(joined.seq, return_index=True)[1])
    rollup = _rolled_up(joined, correction_ms) if is_final else None
    return Made(_packed(span, joined, is_thorough=is_final), rollup, replaced, damaged)


def _packed(span: Span, found: Columns, *, is_thorough: bool) -> Chunk:
    body = codec.encode_columns(found, is_thorough=is_thorough)
    # What it replaces is gone for good: reading it back costs a fraction of packing it.
    try:
        is_whole = columns.are_equal(codec.decode_columns(body), found)
    except DamagedError:
        is_whole = False
    if not is_whole:
        raise LossError(f"a chunk of {span} does not unpack to what was packed")
    return Chunk(
        span,
        len(found),
        int(found.seq[0]),
        int(found.seq[-1]),
        int(found.ts.min()),
        int(found.ts.max()),
        body,
    )


def _rolled_up(found: Columns, correction_ms: int) -> Rollup:
    found = replace(found, ts=found.ts + correction_ms)
    buckets = Buckets.of_samples(found, rules.ROLLUP_STEP_MS).with_rounded_averages()
    return Rollup(
        correction_ms, int(buckets.ts[0]), int(buckets.ts[-1]), codec.encode_buckets(buckets)
    )


def by_span(boot: int, observed_at: Sequence[int]) -> dict[Span, list[int]]:
    """Return which places belong to which of the shortest spans."""
    span_ms = rules.SPANS_MS[0]
    found: dict[Span, list[int]] = {}
    for place, moment in enumerate(observed_at):
        span = Span(boot, span_ms, moment // span_ms * span_ms)
        found.setdefault(span, []).append(place)
    return found
