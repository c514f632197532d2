"""Reading history, wherever it is: fresh rows, chunks, and rollups of what is no longer there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import structlog

from forge_collector.db import Tx, Value
from forge_collector.history import codec, columns, rules
from forge_collector.history.buckets import Buckets
from forge_collector.history.codec import DamagedError
from forge_collector.history.columns import Columns
from forge_collector.history.sealing import Span
from forge_collector.history.store import snapshots
from forge_collector.history.store.snapshots import Row
from forge_shared.codec import encode

Wanted = Collection[str] | None

# A boot's times are the collector's after adding this; as rules.significant_offset has it.
_CORRECTION: Final = """
    CASE WHEN ABS(COALESCE(clock_offset_ms, 0)) > :significant_ms THEN clock_offset_ms ELSE 0 END
"""
_SIGNIFICANT: Final = {"significant_ms": rules.SIGNIFICANT_OFFSET_MS}
_ROLLUPS_REMEMBERED: Final = 256  # of 26 KB each, or 80 KB with 64 cores
_log = structlog.get_logger()


class Recorded(NamedTuple):
    """A stored snapshot as it is read. ``ts``: by the collector's clock."""

    ts: int
    body: bytes


class LastOfBoot(NamedTuple):
    """Where a boot stands: its newest seq, and its last snapshots, oldest first."""

    seq: int
    clock_offset_ms: int | None
    recorded: list[Recorded]


class _Boot(NamedTuple):
    """A boot's number, and what makes its times the collector's."""

    boot: int
    correction_ms: int


class _Sealed(NamedTuple):
    """A chunk or a rollup as it is read."""

    span: Span
    correction_ms: int
    body: bytes


def samples(tx: Tx, node_id: str, from_ms: int, to_ms: int, wanted: Wanted = None) -> Columns:
    """Return every snapshot of a node with from_ms <= ts < to_ms by the collector's clock, each
    once, oldest first. ``wanted``: keys and names of metrics, as ``rules.is_wanted`` reads them;
    a snapshot without any of them is there all the same. What is damaged is left out, and logged.
    """
    found = columns.joined(list(parts(tx, node_id, from_ms, to_ms, wanted)))
    return found.taken(np.argsort(found.ts, kind="stable"))


def parts(
    tx: Tx, node_id: str, from_ms: int, to_ms: int, wanted: Wanted = None
) -> Iterator[Columns]:
    """Yield the same a part at a time, as it lies in the store, and in no order."""
    asked = _asked(node_id, from_ms, to_ms)
    yield from _fresh(tx, asked, wanted)
    for part in _unpacked(_chunks(tx, asked), node_id, wanted):
        is_inside = (part.ts >= from_ms) & (part.ts < to_ms)
        if is_inside.all():
            yield part
        elif is_inside.any():
            yield part.taken(is_inside)


def rollups(tx: Tx, node_id: str, from_ms: int, to_ms: int, wanted: Wanted = None) -> Buckets:
    """Return a node's buckets of ten minutes in from_ms <= ts < to_ms, which are whole such steps:
    of everything that is kept, sealed or fresh, or no longer there but as a rollup."""
    asked = _asked(node_id, from_ms, to_ms)
    plain = _chunks(tx, asked, without_rollup=True)
    rest = columns.joined([*_fresh(tx, asked, wanted), *_unpacked(plain, node_id, wanted)])
    found = [*_rolled_up(tx, asked, wanted), Buckets.of_samples(rest, rules.ROLLUP_STEP_MS)]
    buckets = Buckets.merged(found, rules.ROLLUP_STEP_MS)
    first, end = np.searchsorted(buckets.ts, [from_ms, to_ms])
    return buckets.taken(slice(int(first), int(end)))


def recent(tx: Tx, node_id: str, points: int) -> list[Recorded]:
    """Return a node's most recent snapshots of all its boots, oldest first."""
    rows = tx.execute(
        f"""
        SELECT ts + {_CORRECTION} AS corrected, body FROM boots JOIN snapshots USING (boot)
        WHERE node_id = :node_id ORDER BY corrected DESC LIMIT :points
        """,
        {"node_id": node_id, "points": points, **_SIGNIFICANT},
    ).fetchall()
    found = [Recorded(*row) for row in reversed(rows)]
    older = tx.execute(
        f"""
        SELECT boot, span_ms, begins, damaged, {_CORRECTION} AS correction_ms,
               last_ts + {_CORRECTION} AS ends
        FROM boots JOIN chunks USING (boot) WHERE node_id = :node_id ORDER BY ends DESC
        """,
        {"node_id": node_id, **_SIGNIFICANT},
    ).fetchall()
    for *key, damaged, correction_ms, ends in older:
        if len(found) == points and found[0].ts >= ends:
            break
        sealed = _Sealed(Span(*key), correction_ms, _body(tx, Span(*key), damaged))
        for part in _unpacked([sealed], node_id, None):
            # By time, not by seq: a node's clock may have been put back.
            last = part.taken(np.argsort(part.ts, kind="stable")[-points:])
            found = sorted(found + _recorded(last, points), key=lambda each: each.ts)[-points:]
    return found


def last_of_boot(
    tx: Tx, node_id: str, boot_id: str, points: int, older: Wanted = None
) -> LastOfBoot | None:
    """Return where a boot stands, or None when nothing of it is left. ``older``: what to tell of
    all but the last snapshot, where that takes unpacking them."""
    row = tx.execute(
        f"""
        SELECT boot, clock_offset_ms, COALESCE(sealed_seq, -1), {_CORRECTION} FROM boots
        WHERE node_id = :node_id AND boot_id = :boot_id
        """,
        {"node_id": node_id, "boot_id": boot_id, **_SIGNIFICANT},
    ).fetchone()
    if row is None:
        return None
    boot, offset_ms, sealed_seq, correction_ms = row
    rows = tx.execute(
        "SELECT seq, ts, body FROM snapshots WHERE boot = :boot ORDER BY seq DESC LIMIT :points",
        {"boot": boot, "points": points},
    ).fetchall()
    if rows and rows[0][0] < sealed_seq:
        older = None  # the last snapshot is a sealed one
    chunk = None
    if len(rows) < points or rows[0][0] < sealed_seq:
        chunk = _last_chunk(tx, node_id, _Boot(boot, correction_ms), older if rows else None)
    if chunk is not None:
        # What is older than the chunk's last came late, and is in the middle.
        rows = [row for row in rows if row[0] > chunk.seq[-1]]
    found = [Recorded(ts + correction_ms, body) for _, ts, body in reversed(rows)]
    if chunk is not None:
        found = (_recorded(chunk, points) + found)[-points:]
    if not found:
        return None
    last_seq = rows[0][0] if chunk is None or rows else int(chunk.seq[-1])
    return LastOfBoot(last_seq, offset_ms, found)


def _last_chunk(tx: Tx, node_id: str, boot: _Boot, wanted: Wanted) -> Columns | None:
    """Return what is in the chunk with a boot's greatest seq, of those that can be read."""
    rows = tx.execute(
        """
        SELECT span_ms, begins FROM chunks WHERE boot = :boot AND damaged = 0
        ORDER BY last_seq DESC
        """,
        {"boot": boot.boot},
    ).fetchall()
    spans = (Span(boot.boot, *row) for row in rows)
    chunks = (_Sealed(span, boot.correction_ms, _body(tx, span, damaged=0)) for span in spans)
    return next(_unpacked(chunks, node_id, wanted), None)


def _asked(node_id: str, from_ms: int, to_ms: int) -> dict[str, Value]:
    return {"node_id": node_id, "from_ms": from_ms, "to_ms": to_ms, **_SIGNIFICANT}


def _fresh(tx: Tx, asked: Mapping[str, Value], wanted: Wanted) -> list[Columns]:
    rows = tx.execute(
        f"""
        SELECT seq, ts + {_CORRECTION}, body FROM boots JOIN snapshots USING (boot)
        WHERE node_id = :node_id
          AND ts + {_CORRECTION} >= :from_ms AND ts + {_CORRECTION} < :to_ms
        """,
        asked,
    ).fetchall()
    return [snapshots.as_columns([Row(*row) for row in rows], wanted)] if rows else []


def _chunks(tx: Tx, asked: Mapping[str, Value], *, without_rollup: bool = False) -> list[_Sealed]:
    rows = tx.execute(
        f"""
        SELECT boot, span_ms, begins, {_CORRECTION} AS correction, body
        FROM boots JOIN chunks USING (boot)
        WHERE node_id = :node_id
          AND last_ts + {_CORRECTION} >= :from_ms AND first_ts + {_CORRECTION} < :to_ms
          AND (:is_any OR NOT EXISTS (
            SELECT 1 FROM rollups
            WHERE rollups.boot = chunks.boot AND rollups.span_ms = chunks.span_ms
              AND rollups.begins = chunks.begins AND rollups.aside = 0
              AND rollups.correction_ms = {_CORRECTION}
          ))
        """,
        {**asked, "is_any": int(not without_rollup)},
    ).fetchall()
    return [_Sealed(Span(*key), correction_ms, body) for *key, correction_ms, body in rows]


def _rolled_up(tx: Tx, asked: Mapping[str, Value], wanted: Wanted) -> list[Buckets]:
    """Return rollups, but for those of sound chunks that by now are corrected otherwise."""
    rows = tx.execute(
        f"""
        SELECT boot, span_ms, begins, body FROM boots JOIN rollups USING (boot)
        WHERE node_id = :node_id AND last_ts >= :from_ms AND first_ts < :to_ms
          AND (correction_ms = {_CORRECTION} OR aside > 0 OR NOT EXISTS (
            SELECT 1 FROM chunks
            WHERE chunks.boot = rollups.boot AND chunks.span_ms = rollups.span_ms
              AND chunks.begins = rollups.begins AND chunks.damaged = 0
          ))
        """,
        asked,
    ).fetchall()
    found: list[Buckets] = []
    for *key, body in rows:
        try:
            buckets = _rollup(body)
        except DamagedError as error:
            _log_damage("a rollup", str(asked["node_id"]), Span(*key), error)
        else:
            found.append(buckets.of_series(lambda key: rules.is_wanted(key, wanted)))
    return found


@lru_cache(maxsize=_ROLLUPS_REMEMBERED)
def _rollup(body: bytes) -> Buckets:
    """Return a rollup; raises DamagedError. Who looks at a machine looks at it again: two days of
    one take a dozen, and remembering those halved the time of a query (docs/performance.md)."""
    return codec.decode_buckets(body, rules.ROLLUP_STEP_MS)


def _body(tx: Tx, span: Span, damaged: int) -> bytes:
    (body,) = tx.execute(
        """
        SELECT body FROM chunks
        WHERE boot = :boot AND span_ms = :span_ms AND begins = :begins AND damaged = :damaged
        """,
        {**span._asdict(), "damaged": damaged},
    ).fetchone()
    return bytes(body)


def _unpacked(sealed: Iterable[_Sealed], node_id: str, wanted: Wanted) -> Iterator[Columns]:
    """Yield the snapshots of each chunk that can be read, by the collector's clock."""
    for chunk in sealed:
        try:
            found = codec.decode_columns(chunk.body, _is_wanted(wanted))
        except DamagedError as error:
            _log_damage("a chunk", node_id, chunk.span, error)
        else:
            yield replace(found, ts=found.ts + chunk.correction_ms)


def _is_wanted(wanted: Wanted) -> Callable[[str], bool] | None:
    return None if wanted is None else lambda key: rules.is_wanted(key, wanted)


def _log_damage(what: str, node_id: str, span: Span, error: DamagedError) -> None:
    _log.error(
        f"{what} of history is damaged and left out",
        node=node_id,
        boot=span.boot,
        begins=span.begins,
        ends=span.ends,
        reason=str(error),
    )


def _recorded(found: Columns, points: int) -> list[Recorded]:
    """Return the last snapshots as they would be stored as rows."""
    found = found.taken(np.arange(max(0, len(found) - points), len(found)))
    values: list[dict[str, int | float]] = [{} for _ in range(len(found))]
    for key, column in found.values.items():
        for each, number in zip(values, column.tolist(), strict=True):
            if number == number:  # noqa: PLR0124  NaN alone is not
                each[key] = int(number) if number.is_integer() else number
    bodies = [encode(each) for each in values]
    return [Recorded(ts, body) for ts, body in zip(found.ts.tolist(), bodies, strict=True)]
