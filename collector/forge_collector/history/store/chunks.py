"""Chunks: sealed snapshots of a boot in a span, and what they were rolled up to."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from forge_collector.db import Tx
from forge_collector.history import codec
from forge_collector.history.codec import DamagedError
from forge_collector.history.sealing import Chunk, Part, Rollup, Span


class RaceError(Exception):
    """Meanwhile there came what was not packed, or went what was: pack again."""


def parts_of(tx: Tx, span: Span) -> list[Part]:
    """Return the sound chunks that lie within a span, itself among them."""
    rows = tx.execute(
        """
        SELECT boot, span_ms, begins, body FROM chunks
        WHERE boot = :boot AND span_ms <= :span_ms AND begins >= :begins AND begins < :ends
          AND damaged = 0
        ORDER BY first_seq
        """,
        {**span._asdict(), "ends": span.ends},
    ).fetchall()
    return [Part(Span(*key), body) for *key, body in rows]


def put(tx: Tx, chunk: Chunk, replaced: Iterable[Span], rollup: Rollup | None = None) -> None:
    """Put a chunk in the place of others, and its rollup in the place of theirs; raises RaceError
    when one of those is no longer there."""
    replaced = list(replaced)
    for span in replaced:
        removed = tx.execute(
            """
            DELETE FROM chunks
            WHERE boot = :boot AND span_ms = :span_ms AND begins = :begins AND damaged = 0
            """,
            span._asdict(),
        )
        if removed.rowcount != 1:
            raise RaceError
    tx.execute(
        """
        INSERT INTO chunks (
            boot, span_ms, begins, snapshots, first_seq, last_seq, first_ts, last_ts, damaged,
            body
        ) VALUES (
            :boot, :span_ms, :begins, :snapshots, :first_seq, :last_seq, :first_ts, :last_ts, 0,
            :body
        )
        """,
        {**chunk.span._asdict(), **_fields(chunk)},
    )
    if rollup is not None:
        _put_rollup(tx, chunk.span, replaced, rollup)


def _fields(chunk: Chunk) -> dict[str, int | bytes]:
    fields = chunk._asdict()
    del fields["span"]
    return fields


def _put_rollup(tx: Tx, span: Span, replaced: Iterable[Span], rollup: Rollup) -> None:
    tx.executemany(
        """
        DELETE FROM rollups
        WHERE boot = :boot AND span_ms = :span_ms AND begins = :begins AND aside = 0
        """,
        [each._asdict() for each in replaced],
    )
    # One that is left tells of a chunk that was pruned or cannot be read: all that is left of it.
    tx.execute(
        """
        UPDATE rollups SET aside = (
            SELECT MAX(others.aside) + 1 FROM rollups AS others
            WHERE others.boot = :boot AND others.span_ms = :span_ms AND others.begins = :begins
        )
        WHERE boot = :boot AND span_ms = :span_ms AND begins = :begins AND aside = 0
        """,
        span._asdict(),
    )
    tx.execute(
        """
        INSERT INTO rollups (boot, span_ms, begins, correction_ms, first_ts, last_ts, aside, body)
        VALUES (:boot, :span_ms, :begins, :correction_ms, :first_ts, :last_ts, 0, :body)
        """,
        {**span._asdict(), **rollup._asdict()},
    )


def mark_damaged(tx: Tx, spans: Iterable[Span]) -> None:
    """Leave these chunks where they are, out of the way of others and of every merge to come."""
    for span in spans:
        tx.execute(
            """
            UPDATE chunks SET damaged = (
                SELECT MAX(others.damaged) + 1 FROM chunks AS others
                WHERE others.boot = :boot AND others.span_ms = :span_ms
                  AND others.begins = :begins
            )
            WHERE boot = :boot AND span_ms = :span_ms AND begins = :begins AND damaged = 0
            """,
            span._asdict(),
        )


def sealed_among(tx: Tx, boot: int, seqs: Collection[int]) -> frozenset[int]:
    """Return which of these snapshots are sealed. What is in a damaged chunk cannot be told."""
    rows = tx.execute(
        "SELECT body FROM chunks WHERE boot = :boot AND first_seq <= :last AND last_seq >= :first",
        {"boot": boot, "first": min(seqs), "last": max(seqs)},
    ).fetchall()
    found: set[int] = set()
    for (body,) in rows:
        try:
            found.update(codec.decode_columns(body, lambda _: False).seq.tolist())
        except DamagedError:
            continue
    return frozenset(seqs) & found
