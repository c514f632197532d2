"""The built page: index.html is always asked for anew, what it names by content hash never."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

_ANEW: Final = "no-cache"
_FOREVER: Final = "public, max-age=31536000, immutable"
_NOT_BUILT: Final = (
    "The page has not been built. Run scripts/run, or `npm ci && npm run build` in collector/web.\n"
)


def register(app: web.Application, folder: Path) -> None:
    """Serve the page at ``/`` and everything it is made of, open to all."""
    if not (folder / "index.html").is_file():
        app.router.add_get("/", _not_built)
        return
    app.router.add_get("/", _file(folder / "index.html", _ANEW))
    app.router.add_get("/favicon.svg", _file(folder / "favicon.svg", _ANEW))
    for asset in sorted((folder / "assets").iterdir()):
        app.router.add_get(f"/assets/{asset.name}", _file(asset, _FOREVER))


def _file(path: Path, cache_control: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(_request: web.Request) -> web.StreamResponse:
        # A .gz or .br beside the file goes out instead where the browser takes it.
        return web.FileResponse(path, headers={"Cache-Control": cache_control})

    return serve


async def _not_built(_request: web.Request) -> web.Response:
    return web.Response(text=_NOT_BUILT, status=503)
