"""Pruning: old snapshots leave in small transactions that hold nobody up."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from forge_collector.clock import Clock
from forge_collector.db import Database, DatabaseError
from forge_collector.history import rules, store

_PERIOD_S: Final = 60.0
_ROWS_AT_ONCE: Final = 2000
_PAUSE_S: Final = 0.05
_log = structlog.get_logger()


async def prune_forever(db: Database, clock: Clock, hours_kept: int) -> None:
    while True:
        try:
            await prune(db, rules.kept_since(clock.now_ms(), hours_kept))
        except DatabaseError as error:
            _log.warning("pruning snapshots failed", error=str(error))
        await asyncio.sleep(_PERIOD_S)


async def prune(db: Database, before_ms: int) -> int:
    """Remove all that is too old; return how many snapshots that were."""
    removed = 0
    while True:
        count = await db.write(lambda tx: store.prune(tx, before_ms, _ROWS_AT_ONCE))
        removed += count
        if count < _ROWS_AT_ONCE:
            break
        await asyncio.sleep(_PAUSE_S)
    await db.write(store.prune_boots)
    await db.tidy()
    return removed
