"""Files of the release, for agents that update and for machines that do not have one yet."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from forge_collector.http import problems
from forge_collector.http.routing import OPEN, Call, Route
from forge_collector.releases.live import Published

_BYTES: Final = "application/octet-stream"
# A name may stand for other bytes when a release is built and signed anew: ask whether it does.
_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Type": _BYTES,
    "Content-Disposition": "attachment",
}


class ReleaseRoutes:
    """Open: the programs are no secret, and what protects them is their signature."""

    def __init__(self, published: Published) -> None:
        self._published = published

    def routes(self) -> list[Route[Any]]:
        return [
            Route(
                "GET",
                "/api/releases/{name}",
                OPEN,
                self.file,
                "A file of the agent's release: release.json, release.json.sig, or what it lists",
                replies={200: _BYTES},
            )
        ]

    async def file(self, call: Call[None]) -> web.StreamResponse:
        path = self._published.file(call.path("name"))
        if path is None:
            raise problems.not_found("such file of a release here")
        return web.FileResponse(path, headers=_HEADERS)
