"""GET /api/releases/…: what release.json lists, and nothing beside it."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
import structlog

from forge_shared import codec
from forge_shared.messages import Release, ReleaseFile
from tests.integration.http_api.running import Server

NAME = "forge-agent-0.2.0-linux-x86_64.tar.gz"
CONTENT = bytes(range(256)) * 40
NOBODY: dict[str, str] = {}


def publish(folder: Path, *names: str) -> None:
    files = [ReleaseFile(name, "linux-x86_64", "folder", 1, "0" * 64) for name in names]
    (folder / "release.json").write_bytes(codec.encode(Release("0.2.0", 0, files)))
    (folder / "release.json.sig").write_bytes(b"s" * 64)


@pytest.fixture
def folder(server: Server) -> Path:
    path = server.collector.settings.data / "releases"
    path.mkdir()
    (path / NAME).write_bytes(CONTENT)
    (path / "unlisted").write_bytes(b"not for everybody")
    publish(path, NAME)
    return path


async def test_listed_files_are_open_to_all(server: Server, folder: Path) -> None:
    for name in (NAME, "release.json", "release.json.sig"):
        answer = await server.get(f"/api/releases/{name}", NOBODY)
        assert answer.status == 200
        assert answer.body == (folder / name).read_bytes()
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Cache-Control"] == "no-cache"
        assert "Content-Encoding" not in answer.headers


async def test_parts_can_be_asked_for(server: Server, folder: Path) -> None:
    answer = await server.get(f"/api/releases/{NAME}", {"Range": "bytes=300-399"})
    assert (answer.status, answer.body) == (206, CONTENT[300:400])
    assert (await server.get(f"/api/releases/{NAME}", {"Range": "bytes=99999-"})).status == 416


@pytest.mark.parametrize(
    "path",
    [
        "unlisted",
        "..%2Ffleet.db",
        "%2E%2E%2Fadmin-secret",
        "..%5Cfleet.db",
        "%2Fetc%2Fpasswd",
        ".%2Frelease.json",
        "release.json%00",
        "RELEASE.JSON",
        "%FF",
    ],
)
async def test_nothing_else_is(path: str, server: Server, folder: Path) -> None:
    (await server.get(f"/api/releases/{path}", NOBODY)).problem("not_found")


async def test_names_that_lead_elsewhere_are_not_believed(server: Server, folder: Path) -> None:
    publish(folder, "../fleet.db", "/etc/passwd", ".hidden", NAME)
    for path in ("..%2Ffleet.db", "%2Fetc%2Fpasswd", ".hidden"):
        (await server.get(f"/api/releases/{path}", NOBODY)).problem("not_found")
    assert (await server.get(f"/api/releases/{NAME}", NOBODY)).status == 200


async def test_links_and_folders_are_no_files(server: Server, folder: Path) -> None:
    (folder / "linked").symlink_to(server.database)
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    publish(folder, "linked", "folder", "pipe", "missing")
    for name in ("linked", "folder", "pipe", "missing"):
        (await server.get(f"/api/releases/{name}", NOBODY)).problem("not_found")


async def test_it_is_read_again_when_it_changes(server: Server, folder: Path) -> None:
    assert (await server.get("/api/releases/unlisted", NOBODY)).status == 404
    publish(folder, NAME, "unlisted")
    assert (await server.get("/api/releases/unlisted", NOBODY)).status == 200
    (folder / "release.json").unlink()
    for name in (NAME, "release.json", "release.json.sig"):
        (await server.get(f"/api/releases/{name}", NOBODY)).problem("not_found")


@pytest.mark.parametrize("content", [b"", b"no JSON", b"[]", b'{"version": 1}', b"x" * 300_000])
async def test_what_is_no_release_lists_nothing(
    content: bytes, server: Server, folder: Path
) -> None:
    (folder / "release.json").write_bytes(content)
    (await server.get(f"/api/releases/{NAME}", NOBODY)).problem("not_found")


async def test_what_cannot_be_read_is_logged_once_until_it_changes(server: Server) -> None:
    folder = server.collector.settings.data / "releases"
    folder.write_text("no folder")
    with structlog.testing.capture_logs() as logged:
        for _ in range(3):
            (await server.get("/api/releases/release.json", NOBODY)).problem("not_found")
        files_open = psutil.Process().num_fds()
        folder.unlink()
        (folder / "release.json").mkdir(parents=True)
        for _ in range(3):
            (await server.get("/api/releases/release.json", NOBODY)).problem("not_found")
        (folder / "release.json").rmdir()
        (await server.get("/api/releases/release.json", NOBODY)).problem("not_found")
        (folder / "release.json").mkdir()
        (await server.get("/api/releases/release.json", NOBODY)).problem("not_found")
    said = [line["error"] for line in logged if line["event"] == "releases cannot be read"]
    assert said == ["Not a directory", "Is a directory", "Is a directory"]
    assert psutil.Process().num_fds() == files_open


async def test_without_a_folder_there_is_none(server: Server) -> None:
    (await server.get("/api/releases/release.json", NOBODY)).problem("not_found")
