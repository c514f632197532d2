"""Expired credentials leave the keyring within seconds, and the store with them."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from forge_collector.access import store
from forge_collector.access.live import Keyring
from forge_collector.clock import Clock
from forge_collector.db import Database, DatabaseError

_PERIOD_S: Final = 10.0
_log = structlog.get_logger()


async def expire_credentials(keyring: Keyring, db: Database, clock: Clock) -> None:
    while True:
        await asyncio.sleep(_PERIOD_S)
        keyring.drop_expired()
        now_ms = clock.now_ms()
        try:
            await db.write(lambda tx: store.prune_expired(tx, now_ms))  # noqa: B023  awaited here
        except DatabaseError as error:
            _log.warning("pruning credentials failed", error=str(error))
