"""Looking for damage in stored history: every body is decoded, a few at a time.

A database may be in order page by page and still hold bytes that are not what was once written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from forge_collector.db import Tx
from forge_collector.history import codec, rules
from forge_collector.history.codec import DamagedError
from forge_shared import codec as json

# What is large, and looked at here row by row, with all that belongs to a row.
READ_BY_ROW: Final = frozenset({"chunks", "rollups"})


class Damaged(NamedTuple):
    """History that cannot be read. ``node_id`` None: of a node that was forgotten.
    ``from_ms``, ``to_ms``: by the node's clock, from its first to its last snapshot."""

    what: str
    node_id: str | None
    boot_id: str
    from_ms: int
    to_ms: int
    reason: str


class Looked(NamedTuple):
    """What a look found, among how many snapshots; ``place`` is where to go on, None at the end."""

    snapshots: int
    damaged: list[Damaged]
    place: Place | None


class Place(NamedTuple):
    """Behind which row a look ended: of which kind, and its key."""

    kind: int
    key: tuple[int, ...]


def look(tx: Tx, place: Place | None, limit: int) -> Looked:
    """Look at what lies behind a place; None begins. ``limit``: how much at most, in fresh rows;
    a chunk of many snapshots counts as many of those."""
    kind, key = place or Place(0, _KINDS[0].before_all)
    snapshots, damaged, last = _KINDS[kind].look(tx, key, -(-limit // _KINDS[kind].weight))
    if last is not None:
        return Looked(snapshots, damaged, Place(kind, last))
    if kind + 1 < len(_KINDS):
        return Looked(snapshots, damaged, Place(kind + 1, _KINDS[kind + 1].before_all))
    return Looked(snapshots, damaged, None)


_Found = tuple[int, list[Damaged], tuple[int, ...] | None]


def _snapshots(tx: Tx, after: tuple[int, ...], limit: int) -> _Found:
    rows = tx.execute(
        """
        SELECT boot, seq, node_id, boot_id, ts, body FROM snapshots LEFT JOIN boots USING (boot)
        WHERE (boot, seq) > (:boot, :seq) ORDER BY boot, seq LIMIT :limit
        """,
        {"boot": after[0], "seq": after[1], "limit": limit},
    ).fetchall()
    damaged = [
        Damaged("snapshot", node_id, _boot_name(boot, boot_id), ts, ts, fault)
        for boot, _, node_id, boot_id, ts, body in rows
        if (fault := _fault_of_snapshot(body) or _fault_of_boot(boot_id))
    ]
    return len(rows), damaged, rows[-1][:2] if len(rows) == limit else None


def _chunks(tx: Tx, after: tuple[int, ...], limit: int) -> _Found:
    rows = tx.execute(
        """
        SELECT boot, span_ms, begins, damaged, node_id, boot_id, first_ts, last_ts, snapshots, body
        FROM chunks LEFT JOIN boots USING (boot)
        WHERE (boot, span_ms, begins, damaged) > (:boot, :span_ms, :begins, :which)
        ORDER BY boot, span_ms, begins, damaged LIMIT :limit
        """,
        _span(after, limit),
    ).fetchall()
    damaged = [
        Damaged("chunk", node_id, _boot_name(boot, boot_id), first_ts, last_ts, fault)
        for boot, _, _, _, node_id, boot_id, first_ts, last_ts, snapshots, body in rows
        if (fault := _fault_of_chunk(body, snapshots) or _fault_of_boot(boot_id))
    ]
    return sum(row[8] for row in rows), damaged, rows[-1][:4] if len(rows) == limit else None


def _rollups(tx: Tx, after: tuple[int, ...], limit: int) -> _Found:
    rows = tx.execute(
        """
        SELECT boot, span_ms, begins, aside, node_id, boot_id, first_ts, last_ts, body
        FROM rollups LEFT JOIN boots USING (boot)
        WHERE (boot, span_ms, begins, aside) > (:boot, :span_ms, :begins, :which)
        ORDER BY boot, span_ms, begins, aside LIMIT :limit
        """,
        _span(after, limit),
    ).fetchall()
    damaged = [
        Damaged("rollup", node_id, _boot_name(boot, boot_id), first_ts, last_ts, fault)
        for boot, _, _, _, node_id, boot_id, first_ts, last_ts, body in rows
        if (fault := _fault_of_rollup(body) or _fault_of_boot(boot_id))
    ]
    return 0, damaged, rows[-1][:4] if len(rows) == limit else None


def _span(after: tuple[int, ...], limit: int) -> dict[str, int]:
    boot, span_ms, begins, which = after
    return {"boot": boot, "span_ms": span_ms, "begins": begins, "which": which, "limit": limit}


def _fault_of_snapshot(body: bytes) -> str:
    try:
        json.decode(body, dict[str, int | float])
    except (json.MalformedError, json.InvalidError) as error:
        return str(error)
    return ""


def _fault_of_chunk(body: bytes, snapshots: int) -> str:
    try:
        found = len(codec.decode_columns(body))
    except DamagedError as error:
        return str(error)
    return "" if found == snapshots else f"{found} snapshots instead of {snapshots}"


def _fault_of_rollup(body: bytes) -> str:
    try:
        codec.decode_buckets(body, rules.ROLLUP_STEP_MS)
    except DamagedError as error:
        return str(error)
    return ""


def _fault_of_boot(boot_id: str | None) -> str:
    return "it belongs to no boot" if boot_id is None else ""


def _boot_name(boot: int, boot_id: str | None) -> str:
    return f"number {boot}" if boot_id is None else boot_id


class _Kind(NamedTuple):
    """A table of bodies. ``before_all``: a key that is smaller than any. ``weight``: how much
    longer than that of a fresh row it may take to decode one."""

    before_all: tuple[int, ...]
    weight: int
    look: Callable[[Tx, tuple[int, ...], int], _Found]


_BEFORE_ALL_SPANS: Final = (-1, -1, -1, -1)
# Sealing moves snapshots into chunks: whoever looks in this order misses nothing that moves.
_KINDS: Final = (
    _Kind((-1, -1), 1, _snapshots),
    _Kind(_BEFORE_ALL_SPANS, 100, _chunks),
    _Kind(_BEFORE_ALL_SPANS, 20, _rollups),
)
