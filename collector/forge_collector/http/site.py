"""Listening, with a bound on the TLS handshake."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

# Before the handshake is done no bound on requests holds, nor that on connections per address.
HANDSHAKE_TIMEOUT_S: Final = 10.0
_SHUTDOWN_TIMEOUT_S: Final = 5.0  # for a peer that answers no goodbye


class Site(web.SockSite):
    """Serves on a bound socket; aiohttp's own leaves a minute for the handshake."""

    async def start(self) -> None:
        await web.BaseSite.start(self)
        if self._runner.server is None:
            raise RuntimeError("the runner must be set up first")
        with_tls = self._ssl_context is not None
        self._server = await asyncio.get_running_loop().create_server(
            self._runner.server,
            sock=self._sock,
            ssl=self._ssl_context,
            backlog=self._backlog,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S if with_tls else None,
            ssl_shutdown_timeout=_SHUTDOWN_TIMEOUT_S if with_tls else None,
        )
