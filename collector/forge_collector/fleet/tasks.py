"""What goes on beside requests: statuses age, changes are published, listening is noted."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from forge_collector.db import Database, DatabaseError, Tx
from forge_collector.fleet import rules, store
from forge_collector.fleet.live import LiveFleet
from forge_collector.history import store as history
from forge_collector.history.store import LastOfBoot, Recorded

_PUBLISH_PERIOD_S: Final = 0.25
_STATUS_PERIOD_S: Final = 1.0
_LISTENED_PERIOD_S: Final = 5.0
_NODES_AT_ONCE: Final = 200
_log = structlog.get_logger()


async def restore(live: LiveFleet, db: Database) -> None:
    """Bring the live fleet back from the store, in reads that are short for any fleet."""
    rows = await db.read(store.load)
    restored: list[tuple[store.NodeRow, LastOfBoot | None]] = []
    for start in range(0, len(rows), _NODES_AT_ONCE):
        some = rows[start : start + _NODES_AT_ONCE]
        restored += await db.read(lambda tx: [(row, _last(tx, row)) for row in some])  # noqa: B023
    live.restore(restored, await db.read(store.listened))


async def publish_forever(live: LiveFleet) -> None:
    while True:
        await asyncio.sleep(_PUBLISH_PERIOD_S)
        live.publish()


async def age_statuses(live: LiveFleet, db: Database) -> None:
    while True:
        await asyncio.sleep(_STATUS_PERIOD_S)
        if went_offline := live.refresh_statuses():
            await _keep_last(db, went_offline)


async def _keep_last(db: Database, last_of_nodes: dict[str, Recorded]) -> None:
    try:
        await db.write(lambda tx: store.keep_last(tx, last_of_nodes))
    except DatabaseError as error:
        _log.warning("keeping what nodes last told failed", error=str(error))


async def note_listening(live: LiveFleet, db: Database) -> None:
    """Keep how far the listening clock has come, so that it goes on there after a restart."""
    while True:
        await note_listened(live, db)
        await asyncio.sleep(_LISTENED_PERIOD_S)


async def note_listened(live: LiveFleet, db: Database) -> None:
    listened_ms = live.listened_ms()
    try:
        await db.write(lambda tx: store.set_listened(tx, listened_ms))
    except DatabaseError as error:
        _log.warning("noting how long the collector listened failed", error=str(error))


def _last(tx: Tx, row: store.NodeRow) -> LastOfBoot | None:
    if row.live_boot_id is None:
        return None
    return history.last_of_boot(tx, row.id, row.live_boot_id, rules.SPARKLINE_POINTS)
