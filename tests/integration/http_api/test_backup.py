"""GET /api/backup: one at a time, never at the expense of pushes, and nothing is left of it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from forge_collector.backup import routes
from forge_collector.db import sqlite_copy
from forge_collector.history.codec import decode_columns
from tests.integration.http_api.running import ADMIN, Answer, Server, bearer, until

DRAFT = "backup.draft"


def seqs(body: bytes, folder: Path) -> list[int]:
    """Return what is stored in a backup that is sound."""
    path = folder / "received.db"
    path.write_bytes(body)
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        fresh = [seq for (seq,) in raw.execute("SELECT seq FROM snapshots")]
        sealed = [decode_columns(body).seq for (body,) in raw.execute("SELECT body FROM chunks")]
        return sorted(fresh + [seq for some in sealed for seq in some.tolist()])


def draft_of(server: Server) -> Path:
    return server.database.with_name(DRAFT)


@pytest.fixture
def slow_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page at a time, and each step slow to come: a copy takes a second or two."""
    monkeypatch.setattr(sqlite_copy, "_PAGES_AT_ONCE", 1)
    note = sqlite_copy._Progress.note

    def slow_note(self: sqlite_copy._Progress, status: int, remaining: int, total: int) -> None:
        time.sleep(0.03)
        note(self, status, remaining, total)

    monkeypatch.setattr(sqlite_copy._Progress, "note", slow_note)


async def test_it_is_the_whole_store(server: Server, tmp_path: Path) -> None:
    token = await server.node()
    for seq in range(5):
        assert (await server.push(token, seq)).status == 200

    answer = await server.get("/api/backup")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == routes.MEDIA_TYPE
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert seqs(answer.body, tmp_path) == [0, 1, 2, 3, 4]
    assert not draft_of(server).exists()


@pytest.mark.usefixtures("slow_copy")
async def test_pushes_go_on_meanwhile(server: Server, tmp_path: Path) -> None:
    token = await server.node()
    assert (await server.push(token, 0)).status == 200
    backing_up = asyncio.ensure_future(server.get("/api/backup"))
    await until(draft_of(server).exists)

    seq = 0
    while not backing_up.done():
        seq += 1
        assert (await server.push(token, seq)).status == 200
    stored = seqs((await backing_up).body, tmp_path)

    assert seq > 5
    assert stored == list(range(len(stored)))
    assert len(stored) > 1


@pytest.mark.usefixtures("slow_copy")
async def test_one_at_a_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "_TURN_WAIT_S", 0.2)
    first = asyncio.ensure_future(server.get("/api/backup"))
    await until(draft_of(server).exists)

    second = await server.get("/api/backup")

    assert "Another backup" in second.problem("overloaded").detail
    assert int(second.headers["Retry-After"]) > 0
    assert (await first).status == 200
    assert (await server.get("/api/backup")).status == 200


async def test_a_disk_that_would_be_too_full_for_pushes(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "_ROOM_LEFT_BYTES", 10**15)
    refused = await server.get("/api/backup")
    assert "MB free" in refused.problem("storage_full").detail
    assert not draft_of(server).exists()

    monkeypatch.undo()
    assert (await server.get("/api/backup")).status == 200


@pytest.mark.usefixtures("slow_copy")
async def test_a_disk_that_fills_up_meanwhile(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    backing_up = asyncio.ensure_future(server.get("/api/backup"))
    await until(draft_of(server).exists)
    monkeypatch.setattr(routes, "_ROOM_LEFT_BYTES", 10**15)

    (await backing_up).problem("storage_full")

    assert not draft_of(server).exists()
    assert (await server.push(await server.node())).status == 200


@pytest.mark.usefixtures("slow_copy")
async def test_a_caller_that_leaves_ends_it(server: Server) -> None:
    backing_up = asyncio.ensure_future(server.get("/api/backup"))
    await until(draft_of(server).exists)
    backing_up.cancel()

    await until(lambda: not draft_of(server).exists())

    assert (await server.get("/api/backup")).status == 200


@pytest.mark.usefixtures("slow_copy")
async def test_a_token_revoked_meanwhile_gets_nothing(server: Server) -> None:
    minted = await server.mint(role="admin", name="an admin")
    backing_up: asyncio.Future[Answer] = asyncio.ensure_future(
        server.get("/api/backup", bearer(minted.token))
    )
    await until(draft_of(server).exists)

    assert (await server.call("DELETE", f"/api/tokens/{minted.id}", ADMIN)).status == 204

    (await backing_up).problem("unauthenticated")
    assert not draft_of(server).exists()


@pytest.mark.usefixtures("slow_copy")
async def test_a_collector_that_stops_does_not_wait_for_it(server: Server) -> None:
    token = await server.node()
    assert (await server.push(token, 0)).status == 200
    backing_up = asyncio.ensure_future(server.get("/api/backup"))
    await until(draft_of(server).exists)

    async with asyncio.timeout(2):
        await server.stop()

    await asyncio.gather(backing_up, return_exceptions=True)
    assert not draft_of(server).exists()
    assert not server.database.with_name("fleet.db-wal").exists()


async def test_what_a_killed_collector_left_of_one_is_removed(
    server: Server, tmp_path: Path
) -> None:
    await server.stop()
    draft_of(server).touch()
    await server.collector.start()
    assert not draft_of(server).exists()
    await server.collector.stop()
