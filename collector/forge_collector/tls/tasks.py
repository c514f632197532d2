"""Keeping the certificate fresh while the collector runs."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from forge_collector.config import ConfigError
from forge_collector.tls.source import Source

_log = structlog.get_logger()

# What is looked at costs a tenth of a millisecond: two files and the interfaces.
_EVERY_S: Final = 2.0


async def keep_fresh(source: Source) -> None:
    """Renew or reload the certificate whenever that is due, until cancelled."""
    said = ""
    while True:
        await asyncio.sleep(_EVERY_S)
        try:
            await asyncio.to_thread(source.refresh)
            said = ""
        except (ConfigError, OSError) as error:
            # Tried again each time, and told once.
            if (reason := str(error)) != said:
                _log.error("the certificate could not be renewed", reason=reason)
                said = reason
