"""Fresh snapshots: one row each, as they came, until they are sealed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

import structlog

from forge_collector.db import Tx
from forge_collector.history import columns, rules
from forge_collector.history.columns import Columns
from forge_collector.history.store import chunks
from forge_collector.history.store.boots import Boot
from forge_shared import codec

_ROWS_AT_ONCE: Final = 500
_log = structlog.get_logger()


class Row(NamedTuple):
    """A snapshot as it is stored. ``ts``: as the node sent it; ``body``: its values, JSON."""

    seq: int
    ts: int
    body: bytes


def append(tx: Tx, boot: Boot, rows: Iterable[Row], received_at: int) -> int:
    """Store what is new of these snapshots, neither there as a row nor sealed; return how many
    were."""
    rows = list(rows)
    late = [row.seq for row in rows if row.seq <= boot.sealed_seq]
    sealed = chunks.sealed_among(tx, boot.boot, late) if late else frozenset()
    new = 0
    for row in rows:
        if row.seq in sealed:
            continue
        new += tx.execute(
            """
            INSERT INTO snapshots (boot, seq, ts, observed_at, body)
            VALUES (:boot, :seq, :ts, :observed_at, :body)
            ON CONFLICT (boot, seq) DO NOTHING
            """,
            {
                "boot": boot.boot,
                "seq": row.seq,
                "ts": row.ts,
                "observed_at": rules.observed_at(row.ts, boot.clock_offset_ms, received_at),
                "body": row.body,
            },
        ).rowcount
    return new


def as_columns(rows: Sequence[Row], wanted: Collection[str] | None = None) -> Columns:
    """Return rows side by side, with the wanted series, as ``rules.is_wanted`` reads them. What is
    damaged is left out, and logged."""
    # Some at a time: as dictionaries they take ten times the memory that they take as columns.
    return columns.joined(
        [
            _as_columns(rows[begin : begin + _ROWS_AT_ONCE], wanted)
            for begin in range(0, len(rows), _ROWS_AT_ONCE)
        ]
    )


def _as_columns(rows: Iterable[Row], wanted: Collection[str] | None) -> Columns:
    sound: list[Row] = []
    values: list[dict[str, int | float]] = []
    for row in rows:
        try:
            each = codec.decode(row.body, dict[str, int | float])
        except (codec.MalformedError, codec.InvalidError) as error:
            _log.error("a snapshot is damaged and left out", seq=row.seq, reason=str(error))
            continue
        sound.append(row)
        values.append({key: each[key] for key in each if rules.is_wanted(key, wanted)})
    return columns.of_snapshots([row.seq for row in sound], [row.ts for row in sound], values)
