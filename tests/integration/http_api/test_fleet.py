"""The fleet over HTTP: statuses, edits, forgetting, and the last 300 points."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from forge_collector.history.tasks import Kept, prune
from forge_shared.messages import Fleet, IngestReply, Node, NodeSnapshot, Status, Tokens
from tests.integration.http_api.running import (
    ADMIN,
    BOOT_2,
    JSON,
    PATIENCE_S,
    Answer,
    Server,
    running,
    until,
)
from tests.unit.fleet.manual_clock import ManualClock


async def statuses(server: Server) -> dict[str, Status]:
    server.collector.live.refresh_statuses()
    fleet = (await server.get("/api/fleet")).as_(Fleet)
    return {node.id: node.status for node in fleet.nodes}


async def edit(server: Server, changes: object, node_id: str = "n1") -> Answer:
    return await server.call("PATCH", f"/api/nodes/{node_id}", ADMIN, json=changes)


@asynccontextmanager
async def writer_busy(server: Server) -> AsyncIterator[None]:
    """Keep the writer busy for as long as the block lasts; what is queued is then run in order."""
    begun, done = threading.Event(), threading.Event()

    def unit(_tx: object) -> None:
        begun.set()
        assert done.wait(PATIENCE_S)

    busy = asyncio.ensure_future(server.collector.db.write(unit))
    try:
        await until(begun.is_set)
        yield
    finally:
        done.set()
        await busy


async def queued(server: Server, call: Coroutine[Any, Any, Answer]) -> asyncio.Future[Answer]:
    """Send a request, and return once what it writes waits for the writer."""
    before = server.collector.db.waiting
    answer = asyncio.ensure_future(call)
    await until(lambda: server.collector.db.waiting > before)
    return answer


async def test_an_empty_fleet(server: Server) -> None:
    assert (await server.get("/api/fleet")).as_(Fleet).nodes == []


async def test_a_node_as_the_api_lists_it(server: Server) -> None:
    await server.push(await server.node(), host={"hostname": "nas", "os": "Debian"})
    (node,) = (await server.get("/api/fleet")).as_(Fleet).nodes
    now = server.clock.now_ms()
    assert (node.id, node.name, node.status, node.tags) == ("n1", "n1", Status.ONLINE, [])
    assert (node.first_seen, node.last_seen, node.host.os) == (now, now, "Debian")
    assert node.latest is not None
    assert (node.latest.ts, node.latest.values) == (now, server.snapshot()["values"])


async def test_statuses_follow_the_clock(server: Server) -> None:
    token = await server.node()
    await server.push(token, 0)
    for step_ms, expected in [
        (14_999, Status.ONLINE),
        (1, Status.DEGRADED),
        (45_000, Status.DEGRADED),
        (1, Status.OFFLINE),
    ]:
        server.clock.advance(step_ms)
        assert await statuses(server) == {"n1": expected}
    await server.push(token, 1)
    assert await statuses(server) == {"n1": Status.ONLINE}


async def test_a_longer_interval_gives_more_time(server: Server) -> None:
    await server.push(await server.node(), host={"interval_s": 60})
    for step_ms, expected in [
        (179_999, Status.ONLINE),
        (1, Status.DEGRADED),
        (540_000, Status.DEGRADED),
        (1, Status.OFFLINE),
    ]:
        server.clock.advance(step_ms)
        assert await statuses(server) == {"n1": expected}


async def test_a_restart_raises_no_false_offline(tmp_path: Path, clock: ManualClock) -> None:
    async with running(tmp_path, clock) as before:
        token = await before.node()
        await before.push(token, 3, host={"os": "Debian"})
    clock.advance(86_400_000)
    async with running(tmp_path, clock) as server:
        assert await statuses(server) == {"n1": Status.ONLINE}
        (node,) = (await server.get("/api/fleet")).as_(Fleet).nodes
        assert node.last_seen == clock.now_ms() - 86_400_000
        assert node.host.os == "Debian"
        assert node.latest is not None
        clock.advance(60_001)
        assert await statuses(server) == {"n1": Status.OFFLINE}
        assert (await server.push(token, 4)).status == 200
        assert await statuses(server) == {"n1": Status.ONLINE}


@pytest.mark.parametrize("restarts", [1, 2, 9])
@pytest.mark.parametrize("down_ms", [0, 3_600_000, -3_600_000])
async def test_silence_is_exact_over_any_number_of_restarts(
    tmp_path: Path, clock: ManualClock, restarts: int, down_ms: int
) -> None:
    """However close together, however long, and even if the wall clock is set back meanwhile."""
    async with running(tmp_path, clock) as server:
        await server.push(await server.node())
        clock.advance(1_000)
    for _ in range(restarts):
        clock = ManualClock(clock.unix_ms + down_ms)  # the other clock counts from its start
        async with running(tmp_path, clock) as server:
            assert await statuses(server) == {"n1": Status.ONLINE}
            clock.advance(1_000)
            assert await statuses(server) == {"n1": Status.ONLINE}
    listened_ms = (1 + restarts) * 1_000
    clock = ManualClock(clock.unix_ms + down_ms)
    async with running(tmp_path, clock) as server:
        for silent_ms, expected in [
            (14_999, Status.ONLINE),
            (15_000, Status.DEGRADED),
            (60_000, Status.DEGRADED),
            (60_001, Status.OFFLINE),
        ]:
            clock.advance(silent_ms - listened_ms)
            listened_ms = silent_ms
            assert await statuses(server) == {"n1": expected}
    async with running(tmp_path, ManualClock(clock.unix_ms + down_ms)) as server:
        assert await statuses(server) == {"n1": Status.OFFLINE}


async def test_one_node_is_as_the_fleet_lists_it(server: Server) -> None:
    token = await server.node()
    await server.push(token, host={"hostname": "nas", "os": "Debian"})
    await server.push(await server.node("n2"), node_id="n2")
    nodes = (await server.get("/api/fleet")).as_(Fleet).nodes
    assert [node.id for node in nodes] == ["n1", "n2"]
    for node in nodes:
        assert (await server.get(f"/api/nodes/{node.id}")).as_(Node) == node
    await edit(server, {"name": "the NAS", "tags": ["home"]})
    server.clock.advance(60_001)
    await server.push(await server.node("n2"), 1, node_id="n2")
    server.collector.live.refresh_statuses()
    node = (await server.get("/api/nodes/n1", await server.viewer())).as_(Node)
    assert (node.name, node.tags, node.status) == ("the NAS", ["home"], Status.OFFLINE)
    assert node.latest is not None
    assert node.latest.values == server.snapshot()["values"]
    assert (await server.get("/api/nodes/n2")).as_(Node).status is Status.ONLINE


async def test_an_edit_changes_what_it_names(server: Server) -> None:
    await server.push(await server.node())
    node = (await edit(server, {"name": "Ann's ★ box", "tags": ["home", "a:b.c-d"]})).as_(Node)
    assert (node.name, node.tags, node.ephemeral) == ("Ann's ★ box", ["home", "a:b.c-d"], False)
    node = (await edit(server, {"ephemeral": True})).as_(Node)
    assert (node.name, node.ephemeral) == ("Ann's ★ box", True)
    node = (await edit(server, {"tags": []})).as_(Node)
    assert (node.tags, node.ephemeral) == ([], True)
    assert (await edit(server, {})).as_(Node) == node
    assert (await server.get("/api/fleet")).as_(Fleet).nodes == [node]


async def test_an_edit_survives_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    async with running(tmp_path, clock) as before:
        await before.push(await before.node())
        await edit(before, {"name": "nas", "tags": ["x"], "ephemeral": True})
    async with running(tmp_path, clock) as server:
        (node,) = (await server.get("/api/fleet")).as_(Fleet).nodes
        assert (node.name, node.tags, node.ephemeral) == ("nas", ["x"], True)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\n"}, "name"),
        ({"name": None}, "name"),
        ({"name": 3}, "name"),
        ({"tags": "home"}, "tags"),
        ({"tags": ["ok", "not ok"]}, "tags[1]"),
        ({"tags": ["x" * 33]}, "tags[0]"),
        ({"tags": ["x\n"]}, "tags[0]"),
        ({"tags": ["x"] * 33}, "tags"),
        ({"ephemeral": 1}, "ephemeral"),
        ({"ephemeral": "yes"}, "ephemeral"),
        ({"nmae": "x"}, "nmae"),
        ([], "body"),
    ],
)
async def test_a_bad_edit_names_the_field_and_changes_nothing(
    server: Server, changes: object, field: str
) -> None:
    await server.push(await server.node())
    before = (await server.get("/api/fleet")).body
    problem = (await edit(server, changes)).problem("invalid")
    assert [error.field for error in problem.errors] == [field]
    assert (await server.get("/api/fleet")).body == before


async def test_a_misspelt_field_is_named(server: Server) -> None:
    await server.push(await server.node())
    assert "nmae" in (await edit(server, {"nmae": "x"})).problem("invalid").detail


@pytest.mark.parametrize("node_id", ["unknown", "%00", "%ff", "a%2Fb", "%F0%9F%92%A9", "x" * 4000])
async def test_an_unknown_node_is_not_found(server: Server, node_id: str) -> None:
    (await edit(server, {"name": "x"}, node_id)).problem("not_found")
    (await server.get(f"/api/nodes/{node_id}")).problem("not_found")
    (await server.call("DELETE", f"/api/nodes/{node_id}", ADMIN)).problem("not_found")
    (await server.get(f"/api/nodes/{node_id}/snapshot")).problem("not_found")


async def test_forgetting_takes_node_tokens_and_history(server: Server) -> None:
    token, second, other = await server.node(), await server.node(), await server.node("n2")
    await server.push(token)
    await server.push(other, node_id="n2")
    assert (await server.call("DELETE", "/api/nodes/n1", ADMIN)).status == 204
    # Its tokens stop at once.
    for former in (token, second):
        (await server.push(former, 1)).problem("unauthenticated")
    (await server.get("/api/nodes/n1")).problem("not_found")
    (await server.get("/api/nodes/n1/snapshot")).problem("not_found")
    assert list(await statuses(server)) == ["n2"]
    tokens = (await server.get("/api/tokens")).as_(Tokens).tokens
    assert [token.node_id for token in tokens] == ["n2"]
    (await server.call("DELETE", "/api/nodes/n1", ADMIN)).problem("not_found")
    # Nothing of it stays in the database once it was pruned.
    assert await prune(server.collector.db, 0, Kept(48, 30)) == 1
    database = sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)
    counts = [
        database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
        for table in ("nodes", "boots", "snapshots", "credentials")
    ]
    database.close()
    assert counts == [1, 1, 1, 1]


async def test_a_push_on_its_way_does_not_bring_a_forgotten_node_back(server: Server) -> None:
    token = await server.node()
    await server.push(token, 0)
    body, begun, arriving = server.line(1), asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:5]
        begun.set()
        await arriving.wait()
        yield body[5:]

    headers = {**token, "Content-Type": JSON}
    push = asyncio.ensure_future(server.call("POST", "/api/ingest/n1", headers, data=slowly()))
    await begun.wait()
    assert (await server.call("DELETE", "/api/nodes/n1", ADMIN)).status == 204
    arriving.set()
    (await push).problem("unauthenticated")
    assert await statuses(server) == {}


async def test_a_push_behind_the_forgetting_does_not_bring_the_node_back(server: Server) -> None:
    """Its token was still good as it came in: only the store knows that the node is going."""
    token = await server.node()
    await server.push(token, 0)
    async with writer_busy(server):
        forgetting = await queued(server, server.call("DELETE", "/api/nodes/n1", ADMIN))
        edit_after = await queued(server, edit(server, {"name": "nas"}))
        push = await queued(server, server.push(token, 1))
        replay = await queued(server, server.replay(token, [server.line(2)]))
    assert (await forgetting).status == 204
    (await edit_after).problem("not_found")
    for answer in (await push, await replay):
        assert "revoked" in answer.problem("unauthenticated").detail
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert await statuses(server) == {}
    (await server.get("/api/nodes/n1/snapshot")).problem("not_found")
    (await server.push(token, 3)).problem("unauthenticated")


async def test_a_push_ahead_of_the_forgetting_is_taken_and_forgotten(server: Server) -> None:
    token = await server.node()
    async with writer_busy(server):
        push = await queued(server, server.push(token, 0))
        edit_before = await queued(server, edit(server, {"name": "nas"}))
        forgetting = await queued(server, server.call("DELETE", "/api/nodes/n1", ADMIN))
    assert (await push).as_(IngestReply).accepted == 1
    assert (await edit_before).as_(Node).name == "nas"
    assert (await forgetting).status == 204
    assert await statuses(server) == {}


async def test_a_node_that_never_pushed_is_forgotten_with_its_token(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with running(tmp_path, clock) as before:
        token = await before.node()
        assert (await before.call("DELETE", "/api/nodes/n1", ADMIN)).status == 204
        (await before.get("/api/whoami", token)).problem("unauthenticated")
        (await before.call("DELETE", "/api/nodes/n1", ADMIN)).problem("not_found")
    async with running(tmp_path, clock) as server:
        assert (await server.get("/api/tokens")).as_(Tokens).tokens == []
        (await server.push(token)).problem("unauthenticated")


async def test_a_forgotten_node_may_come_back_as_a_new_one(server: Server) -> None:
    await server.push(await server.node())
    await edit(server, {"name": "nas"})
    await server.call("DELETE", "/api/nodes/n1", ADMIN)
    server.clock.advance(1_000)
    assert (await server.push(await server.node(), 0)).status == 200
    (node,) = (await server.get("/api/fleet")).as_(Fleet).nodes
    assert (node.name, node.first_seen) == ("n1", server.clock.now_ms())


async def test_a_snapshot_is_the_last_300_points_oldest_first(server: Server) -> None:
    token, now = await server.node(), server.clock.now_ms()
    lines = [server.line(seq, ts=now + seq, values={"cpu.pct": seq}) for seq in range(450)]
    await server.replay(token, lines[:200])
    await server.replay(token, lines[200:])
    answer = (await server.get("/api/nodes/n1/snapshot")).as_(NodeSnapshot)
    assert answer.node_id == "n1"
    assert [point.ts for point in answer.points] == [now + seq for seq in range(150, 450)]
    assert [point.values["cpu.pct"] for point in answer.points] == list(range(150, 450))


async def test_a_snapshot_spans_boots_in_order_of_time(server: Server) -> None:
    token, now = await server.node(), server.clock.now_ms()
    await server.push(token, 0, ts=now)
    await server.push(token, 0, ts=now + 2, boot_id=BOOT_2)
    await server.push(token, 1, ts=now + 1)
    points = (await server.get("/api/nodes/n1/snapshot")).as_(NodeSnapshot).points
    assert [point.ts for point in points] == [now, now + 1, now + 2]


async def test_a_name_that_looks_like_markup_stays_text(server: Server) -> None:
    await server.push(await server.node(), host={"os": "<script>alert(1)</script>"})
    answer = await edit(server, {"name": "<img src=x onerror=alert(1)>"})
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_node_without_stored_snapshots_has_an_empty_past(server: Server) -> None:
    await server.replay(await server.node(), [b"this is no snapshot"])
    points = (await server.get("/api/nodes/n1/snapshot")).as_(NodeSnapshot).points
    assert points == []
