"""Opens connections to the collector: so many at once, and ever more slowly while it is away."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from typing import Final
from urllib.parse import SplitResult

from forge_shared import backoff
from scripts.simulation.connection import Connection
from scripts.simulation.pool import Connect, UnreachableError

_OPENING_AT_ONCE: Final = 64
_CONNECT_TIMEOUT_S: Final = 10.0
_PORTS: Final = {"http": 80, "https": 443}


class Dialer:
    """All pools of a run dial through one, so that all of them wait when the collector is away."""

    def __init__(self, url: SplitResult) -> None:
        self._host = url.hostname or ""
        self._port = url.port or _PORTS[url.scheme]
        self._tls = ssl.create_default_context() if url.scheme == "https" else None
        self._slots = asyncio.Semaphore(_OPENING_AT_ONCE)
        self._failures = 0
        self._again_at = 0.0
        self._reason = ""
        self.opened = 0

    async def open(self, connect: Connect) -> Connection:
        """Return an open connection; raises UnreachableError, at once while it backs off."""
        async with self._slots:
            if time.monotonic() < self._again_at:
                raise UnreachableError(self._reason)
            try:
                async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                    _, connection = await asyncio.get_running_loop().create_connection(
                        connect, self._host, self._port, ssl=self._tls
                    )
            except OSError as error:
                self._back_off(str(error) or "no answer")
                raise UnreachableError(self._reason) from None
        self._failures = 0
        self.opened += 1
        return connection

    def _back_off(self, reason: str) -> None:
        self._reason = reason
        if time.monotonic() < self._again_at:  # one of many that were under way together
            return
        self._failures += 1
        unit_random = random.random()  # noqa: S311  a wait, not a secret
        self._again_at = time.monotonic() + backoff.full_jitter_s(self._failures, unit_random)
