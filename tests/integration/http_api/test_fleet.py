"""The fleet over HTTP: statuses, edits, forgetting, and the last 300 points."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from forge_collector.history.tasks import prune
from forge_shared.messages import Fleet, Node, NodeSnapshot, Status, Tokens
from tests.integration.http_api.running import ADMIN, BOOT_2, JSON, Server, running
from tests.unit.fleet.manual_clock import ManualClock


async def statuses(server: Server) -> dict[str, Status]:
    server.collector.live.refresh_statuses()
    fleet = (await server.get("/api/fleet")).as_(Fleet)
    return {node.id: node.status for node in fleet.nodes}


async def edit(server: Server, changes: object, node_id: str = "n1") -> Any:
    return await server.call("PATCH", f"/api/nodes/{node_id}", ADMIN, json=changes)


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
        ({"nmae": "x"}, "body"),
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
    (await server.get("/api/nodes/n1/snapshot")).problem("not_found")
    assert list(await statuses(server)) == ["n2"]
    tokens = (await server.get("/api/tokens")).as_(Tokens).tokens
    assert [token.node_id for token in tokens] == ["n2"]
    (await server.call("DELETE", "/api/nodes/n1", ADMIN)).problem("not_found")
    # Nothing of it stays in the database once it was pruned.
    assert await prune(server.collector.db, 0) == 1
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
