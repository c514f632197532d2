"""Sealing in the store: what is to be sealed or merged, and putting it there.

A snapshot is at any moment in exactly one place, a row or a chunk: each function that moves some
does so in one transaction, and moves nothing unless it finds just what was packed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from forge_collector.db import Tx
from forge_collector.history import rules
from forge_collector.history.sealing import Made, Part, Span
from forge_collector.history.store import chunks
from forge_collector.history.store.chunks import RaceError
from forge_collector.history.store.snapshots import Row


class Due(NamedTuple):
    """A boot's rows that are old enough to be sealed, and when each was observed."""

    boot: int
    rows: list[Row]
    observed_at: list[int]


class ToMerge(NamedTuple):
    """The chunks that are to become one. ``correction_ms``: from the node's time to ours."""

    span: Span
    parts: list[Part]
    correction_ms: int


def boots_due(tx: Tx, before_ms: int) -> list[int]:
    """Return the boots that have rows from before a moment."""
    # +boot: SQLite would go through every row there is in the order of boots.
    rows = tx.execute(
        "SELECT DISTINCT +boot FROM snapshots WHERE observed_at < :before_ms",
        {"before_ms": before_ms},
    ).fetchall()
    return [boot for (boot,) in rows]


def unsealed(tx: Tx, before_ms: int) -> int:
    """Return how many rows are from before a moment."""
    (count,) = tx.execute(
        "SELECT COUNT(*) FROM snapshots WHERE observed_at < :before_ms", {"before_ms": before_ms}
    ).fetchone()
    return int(count)


def due(tx: Tx, boot: int, before_ms: int, limit: int) -> Due:
    """Return up to ``limit`` of a boot's rows from before a moment, the oldest, in whole spans of
    the shortest kind unless one is longer than that."""
    found = tx.execute(
        """
        SELECT seq, ts, body, observed_at FROM snapshots
        WHERE boot = :boot AND observed_at < :before_ms
        ORDER BY observed_at, seq LIMIT :limit
        """,
        {"boot": boot, "before_ms": before_ms, "limit": limit},
    ).fetchall()
    if len(found) == limit:
        whole = found[-1][3] // rules.SPANS_MS[0] * rules.SPANS_MS[0]
        found = [row for row in found if row[3] < whole] or found
    return Due(boot, [Row(*row[:3]) for row in found], [row[3] for row in found])


def seal(tx: Tx, made: Made, seqs: Sequence[int]) -> None:
    """Put a chunk in the place of the rows it was packed from, and of the chunk of the same span
    that it continues; raises RaceError."""
    if made.chunk is None:
        return
    boot = made.chunk.span.boot
    removed = 0
    for seq in seqs:
        removed += tx.execute(
            "DELETE FROM snapshots WHERE boot = :boot AND seq = :seq", {"boot": boot, "seq": seq}
        ).rowcount
    if removed != len(seqs):
        raise RaceError
    put(tx, made)
    tx.execute(
        """
        UPDATE boots SET sealed_seq = :last_seq
        WHERE boot = :boot AND COALESCE(sealed_seq, -1) < :last_seq
        """,
        {"boot": boot, "last_seq": made.chunk.last_seq},
    )


def spans_to_merge(tx: Tx, level: int, before_ms: int, limit: int) -> list[Span]:
    """Return up to ``limit`` spans of this level that ended before a moment, the oldest, of which
    there are chunks of the level below."""
    into_ms = rules.SPANS_MS[level]
    rows = tx.execute(
        """
        SELECT DISTINCT boot, begins / :into_ms * :into_ms AS whole FROM chunks
        WHERE span_ms = :span_ms AND begins < :before_ms AND damaged = 0
        ORDER BY whole, boot LIMIT :limit
        """,
        {
            "span_ms": rules.SPANS_MS[level - 1],
            "into_ms": into_ms,
            "before_ms": before_ms,
            "limit": limit,
        },
    ).fetchall()
    return [Span(boot, into_ms, begins) for boot, begins in rows]


def to_merge(tx: Tx, span: Span) -> ToMerge:
    row = tx.execute(
        "SELECT clock_offset_ms FROM boots WHERE boot = :boot", {"boot": span.boot}
    ).fetchone()
    offset_ms = None if row is None else row[0]
    return ToMerge(span, chunks.parts_of(tx, span), rules.significant_offset(offset_ms) or 0)


def put(tx: Tx, made: Made) -> None:
    """Put a chunk and its rollup in the place of those it was made of; raises RaceError."""
    chunks.mark_damaged(tx, made.damaged)
    if made.chunk is not None:
        chunks.put(tx, made.chunk, made.replaced, made.rollup)
