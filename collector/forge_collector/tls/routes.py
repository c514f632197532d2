"""The authority's certificate, for whoever wants to trust it."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from forge_collector.http.problems import ProblemError
from forge_collector.http.routing import OPEN, Call, Route

_MEDIA_TYPE: Final = "application/x-pem-file"


class TlsRoutes:
    """``ca_pem``: the certificate of the collector's own authority, None where it has none."""

    def __init__(self, ca_pem: str | None) -> None:
        self._ca_pem = ca_pem

    def routes(self) -> list[Route[Any]]:
        return [
            Route(
                "GET",
                "/ca.pem",
                OPEN,
                self.authority,
                "The certificate of the collector's own authority",
                replies={200: _MEDIA_TYPE},
                problems=("not_found",),
            ),
        ]

    async def authority(self, _call: Call[None]) -> web.Response:
        if self._ca_pem is None:
            raise ProblemError(
                "not_found",
                "This collector has no authority of its own: it was not started with --tls auto.",
            )
        return web.Response(body=self._ca_pem.encode(), content_type=_MEDIA_TYPE)
