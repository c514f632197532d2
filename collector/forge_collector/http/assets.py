"""The built page: index.html is always asked for anew, what it names by content hash never.

A page that is built anew under a running collector is the one served from then on: the files are
looked for when they are asked for, not at the start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from forge_collector.http.problems import not_found

_ANEW: Final = "no-cache"
_FOREVER: Final = "public, max-age=31536000, immutable"
# Nothing that leads out of the folder.
_ASSET_NAME: Final = "[A-Za-z0-9_-][A-Za-z0-9._-]*"
_NOT_BUILT: Final = (
    "The page has not been built. Run scripts/run, or `npm ci && npm run build` in collector/web.\n"
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def register(app: web.Application, folder: Path) -> None:
    """Serve the page at ``/`` and everything it is made of, open to all."""
    app.router.add_get("/", _index(folder / "index.html"))
    app.router.add_get("/favicon.svg", _favicon(folder / "favicon.svg"))
    app.router.add_get(f"/assets/{{name:{_ASSET_NAME}}}", _asset(folder / "assets"))


def _index(path: Path) -> Handler:
    async def serve(_request: web.Request) -> web.StreamResponse:
        if not await asyncio.to_thread(path.is_file):
            return web.Response(text=_NOT_BUILT, status=503)
        return _file(path, _ANEW)

    return serve


def _favicon(path: Path) -> Handler:
    async def serve(_request: web.Request) -> web.StreamResponse:
        return _file(path, _ANEW)

    return serve


def _asset(folder: Path) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        path = folder / request.match_info["name"]
        # Of a page that was built anew, or is just being built: no browser is to keep this answer.
        if not await asyncio.to_thread(path.is_file):
            raise not_found("such part of the page; load it anew")
        return _file(path, _FOREVER)

    return serve


def _file(path: Path, cache_control: str) -> web.FileResponse:
    # A .gz or .br beside the file goes out instead where the browser takes it.
    return web.FileResponse(path, headers={"Cache-Control": cache_control})
