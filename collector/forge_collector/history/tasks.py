"""What becomes of history beside requests: it is sealed, merged, rolled up, and pruned.

All of it happens in small transactions that take their turn among the pushes, and the packing
beside both threads of the Database; most of the time this only waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import structlog

from forge_collector.clock import Clock
from forge_collector.db import Database, DatabaseError, Tx
from forge_collector.history import rules, sealing, store
from forge_collector.history.columns import NOTHING, Columns
from forge_collector.history.sealing import LossError, Made, Part, Span
from forge_collector.history.store import RaceError, Row

_PRUNE_PERIOD_S: Final = 60.0
_ROWS_AT_ONCE: Final = 2000
_CHUNKS_AT_ONCE: Final = 50
_PAUSE_S: Final = 0.05
_SEAL_PERIOD_S: Final = 15.0
_COUNT_PERIOD_S: Final = 5.0
_ROWS_OF_A_BOOT: Final = 2000
_BOOTS_AT_ONCE: Final = 8
_SPANS_AT_ONCE: Final = 50
# Of the time, so much is the sealer's at most, however much waits: pushes come first.
_SHARE: Final = 0.3
_log = structlog.get_logger()


class Sealer:
    """Seals, merges and rolls up. ``unsealed`` and ``unmerged`` count what was due and waited when
    it last looked: rows, and spans."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._packing = ThreadPoolExecutor(1, "sealer")
        self.unsealed = 0
        self.unmerged = 0

    async def run(self) -> None:
        while True:
            is_behind = False
            try:
                is_behind = await self._round()
            except DatabaseError as error:
                _log.warning("sealing history failed", error=str(error))
            if not is_behind:
                await asyncio.sleep(_SEAL_PERIOD_S)

    async def catch_up(self) -> None:
        """Seal all rows and merge all chunks that are due."""
        while await self._round():
            pass

    async def _round(self) -> bool:
        """Seal all rows that are due, for rows take most room and time to read, and merge some
        chunks; return whether there are more."""
        now_ms = self._clock.now_ms()
        await self._seal_due(rules.closed_before(now_ms, rules.SPANS_MS[0]))
        for level in range(1, len(rules.SPANS_MS)):
            before_ms = rules.closed_before(now_ms, rules.SPANS_MS[level])
            if await self._merge_some(level, before_ms):
                return True
        return False

    async def _seal_due(self, before_ms: int) -> None:
        boots = await self._db.read(lambda tx: store.boots_due(tx, before_ms))
        count_at = time.monotonic()
        while boots:
            # Counted anew, for replays bring more meanwhile; but now and then: it goes through all.
            if time.monotonic() >= count_at:
                self.unsealed = await self._db.read(lambda tx: store.unsealed(tx, before_ms))
                count_at = time.monotonic() + _COUNT_PERIOD_S
            some, boots = boots[:_BOOTS_AT_ONCE], boots[_BOOTS_AT_ONCE:]
            started = time.monotonic()
            left = await asyncio.gather(*(self._seal_boot(boot, before_ms) for boot in some))
            boots += [boot for boot, has_more in zip(some, left, strict=True) if has_more]
            await _yield_to_pushes(started)
        self.unsealed = 0

    async def _seal_boot(self, boot: int, before_ms: int) -> bool:
        """Seal a boot's oldest rows; return whether there may be more."""
        due = await self._db.read(lambda tx: store.due(tx, boot, before_ms, _ROWS_OF_A_BOOT))
        for span, places in sealing.by_span(boot, due.observed_at).items():
            if not await self._seal_span(span, [due.rows[place] for place in places]):
                return False
        return len(due.rows) > 0

    async def _seal_span(self, span: Span, rows: list[Row]) -> bool:
        """Seal rows of one span; return whether that is done."""
        fresh = store.as_columns(rows)
        if not len(fresh):
            return False  # none can be read: they stay until they are too old
        parts = await self._db.read(lambda tx: store.parts_of(tx, span))
        made = await self._made(span, fresh, parts, 0)
        if made is None or made.chunk is None:
            return False
        try:
            await self._db.write(lambda tx: store.seal(tx, made, fresh.seq.tolist()))
        except RaceError:
            return False  # rows went meanwhile; the next round sees what is left
        return True

    async def _merge_some(self, level: int, before_ms: int) -> bool:
        """Merge up to a bounded number of spans; return whether there are more that can be."""
        spans = await self._db.read(
            lambda tx: store.spans_to_merge(tx, level, before_ms, _SPANS_AT_ONCE)
        )
        self.unmerged = len(spans)
        is_moving = False
        for span in spans:
            started = time.monotonic()
            is_moving |= await self._merge(span)
            self.unmerged -= 1
            await _yield_to_pushes(started)
        return is_moving and len(spans) == _SPANS_AT_ONCE

    async def _merge(self, span: Span) -> bool:
        """Merge what lies in a span; return whether there is less to merge now."""
        found = await self._db.read(lambda tx: store.to_merge(tx, span))
        made = await self._made(span, NOTHING, found.parts, found.correction_ms)
        if made is None:
            return False
        if made.damaged:
            _log.error("damaged history is left out of a merge", spans=made.damaged)
        try:
            await self._db.write(lambda tx: store.put(tx, made))
        except RaceError:
            return False  # its node was forgotten meanwhile
        return True

    async def _made(
        self, span: Span, fresh: Columns, parts: list[Part], correction_ms: int
    ) -> Made | None:
        """Pack beside the event loop; return None when what was there must stay as it is."""
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._packing, sealing.made, span, fresh, parts, correction_ms
            )
        except LossError as error:
            _log.error("history stays unsealed", reason=str(error))
            return None


async def _yield_to_pushes(started: float) -> None:
    busy_s = time.monotonic() - started
    await asyncio.sleep(busy_s * (1 - _SHARE) / _SHARE)


class Kept(NamedTuple):
    """How long history is kept: every snapshot, and what they were rolled up to."""

    hours: int
    rollup_days: int


async def prune_forever(db: Database, clock: Clock, kept: Kept) -> None:
    while True:
        try:
            await prune(db, clock.now_ms(), kept)
        except DatabaseError as error:
            _log.warning("pruning history failed", error=str(error))
        await asyncio.sleep(_PRUNE_PERIOD_S)


async def prune(db: Database, now_ms: int, kept: Kept) -> int:
    """Remove all that is too old; return how many snapshots were removed as rows."""
    before_ms = rules.kept_since(now_ms, kept.hours)
    rollups_before_ms = rules.rollups_kept_since(now_ms, kept.rollup_days)
    removed = await _all(db, _ROWS_AT_ONCE, lambda tx, most: store.prune(tx, before_ms, most))
    await _all(db, _CHUNKS_AT_ONCE, lambda tx, most: store.prune_chunks(tx, before_ms, most))
    await _all(
        db, _CHUNKS_AT_ONCE, lambda tx, most: store.prune_rollups(tx, rollups_before_ms, most)
    )
    await db.write(store.prune_boots)
    await _tidy(db)
    return removed


async def _tidy(db: Database) -> None:
    has_more = await db.tidy()
    while has_more:
        await asyncio.sleep(_PAUSE_S)
        has_more = await db.tidy()


async def _all(db: Database, most: int, remove: Callable[[Tx, int], int]) -> int:
    """Remove a bounded amount at a time until nothing is left; return how many that were."""
    removed = 0
    while True:
        count = await db.write(lambda tx: remove(tx, most))
        removed += count
        if count < most:
            return removed
        await asyncio.sleep(_PAUSE_S)
