"""The built page's files: those that are there when they are asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from forge_collector.http import assets, problems

FOREVER = "public, max-age=31536000, immutable"


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[tuple[ClientSession, Path]]:
    folder = tmp_path / "static"
    app = web.Application(middlewares=[problems.middleware])
    assets.register(app, folder)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    _, port = runner.addresses[0]
    async with ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session, folder
    await runner.cleanup()


def build(folder: Path, script: str) -> None:
    (folder / "assets").mkdir(parents=True, exist_ok=True)
    for old in (folder / "assets").iterdir():
        old.unlink()
    (folder / "assets" / script).write_text(script)
    (folder / "index.html").write_text(f"<script src=./assets/{script}></script>")


async def test_a_page_built_anew_is_served_without_a_restart(
    page: tuple[ClientSession, Path],
) -> None:
    session, folder = page
    async with session.get("/") as answer:
        assert answer.status == 503
        assert "has not been built" in await answer.text()

    for script in ("index-one_1.js", "index-two-2.js"):
        build(folder, script)
        async with session.get("/") as answer:
            assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")
            assert script in await answer.text()
        async with session.get(f"/assets/{script}") as answer:
            assert (answer.status, answer.headers["Cache-Control"]) == (200, FOREVER)
            assert await answer.text() == script


@pytest.mark.parametrize("name", ["index-gone.js", "..%2findex.html", ".hidden", "a%2fb.js"])
async def test_what_is_not_of_the_page_is_a_problem_that_nobody_keeps(
    page: tuple[ClientSession, Path], name: str
) -> None:
    session, folder = page
    build(folder, "index-new.js")
    (folder / "assets" / ".hidden").write_text("x")
    async with session.get(f"/assets/{name}") as answer:
        assert answer.status == 404
        assert "Cache-Control" not in answer.headers
        assert answer.content_type == problems.CONTENT_TYPE
