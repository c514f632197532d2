"""Invites that ended long ago leave the store."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from forge_collector.clock import Clock
from forge_collector.db import Database, DatabaseError
from forge_collector.joining import store

_PERIOD_S: Final = 3600.0
_log = structlog.get_logger()


async def prune_forever(db: Database, clock: Clock) -> None:
    while True:
        now_ms = clock.now_ms()
        try:
            await db.write(lambda tx: store.prune(tx, now_ms))  # noqa: B023  awaited here
        except DatabaseError as error:
            _log.warning("pruning invites failed", error=str(error))
        await asyncio.sleep(_PERIOD_S)
