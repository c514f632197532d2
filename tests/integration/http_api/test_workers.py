"""Workers: what is shown of them, whose they are, and when they are forgotten."""

from __future__ import annotations

import pytest

from forge_collector.db import StorageFullError, Tx
from forge_collector.events import NodeForgotten
from forge_collector.jobs import store, tasks
from forge_shared.job_messages import Workers
from forge_shared.messages import Tokens
from tests.integration.http_api.jobs import Worker, submit, sweep
from tests.integration.http_api.running import ADMIN, Server


async def test_workers_and_what_they_offer(server: Server) -> None:
    worker = await Worker.of(server)
    await worker.offer(title="Echo", payload_schema={"type": "integer"})
    await submit(server, payload=1)
    held = await worker.one()
    await worker.beat(held, state="paused", reason="on battery", slots={"io": 2})
    told = (await server.get("/api/workers")).as_(Workers)
    (found,) = told.workers
    assert (found.id, found.node_id, found.state, found.reason) == (
        worker.id,
        "n1",
        "paused",
        "on battery",
    )
    assert (found.running, found.slots) == ([held.id], {"io": 2})
    (known,) = told.types
    assert (known.name, known.title, known.versions) == ("echo", "Echo", ["1.0"])
    await sweep(server)
    assert 'forge_workers{state="paused"} 1.0' in (await server.get("/metrics")).body.decode()


async def test_a_machines_card_shows_how_many_jobs_it_has(server: Server) -> None:
    worker = await Worker.of(server)
    await server.push(worker.token)
    await submit(server)
    held = await worker.one()
    server.collector.jobs.tell_loads()
    assert server.collector.live._nodes["n1"].jobs == 1
    await worker.answer(held)
    server.collector.jobs.tell_loads()
    assert server.collector.live._nodes["n1"].jobs == 0


async def test_a_worker_is_one_machines_alone(server: Server) -> None:
    worker = await Worker.of(server)
    await worker.claim()
    await submit(server)
    thief = Worker(server, await server.node("n2"), "n2")
    thief.id = worker.id
    (await thief.ask()).problem("foreign_worker")
    (await thief.ask(wait_s=5)).problem("foreign_worker")
    (await thief.heartbeat()).problem("foreign_worker")
    held = await worker.one()
    own = await Worker.of(server, "n2")
    (await own.answer(held)).problem("stale_lease")
    assert (await own.beat(held)).lost == [held.id]
    assert (await worker.beat(held)).renewed == [held.id]


async def test_workers_of_a_node_are_forgotten_once_the_store_can(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await Worker.of(server)).offer()
    live, db = server.collector.jobs, server.collector.db
    live.forget_node(NodeForgotten("n1"))
    with monkeypatch.context() as full_disk:

        def refuse(_tx: Tx, _node_id: str) -> None:
            raise StorageFullError("no space left")

        full_disk.setattr(store, "forget_node", refuse)
        with pytest.raises(StorageFullError):
            await tasks.forget_nodes(live, db)
    assert await tasks.forget_nodes(live, db)
    assert (await server.get("/api/workers")).as_(Workers).workers == []


async def test_what_a_node_that_never_pushed_told_of_goes_with_it(server: Server) -> None:
    strange = await Worker.of(server)
    await strange.offer(version="999", payload_schema=False)
    wanted = {"type": "echo", "payload": 1}
    (await server.call("POST", "/api/jobs", ADMIN, json=wanted)).problem("payload_invalid")
    # Without its token it can tell nothing more, and what it told of stays.
    (token,) = (await server.get("/api/tokens")).as_(Tokens).tokens
    assert (await server.call("DELETE", f"/api/tokens/{token.id}", ADMIN)).status == 204
    (await server.call("POST", "/api/jobs", ADMIN, json=wanted)).problem("payload_invalid")
    assert (await server.call("DELETE", "/api/nodes/n1", ADMIN)).status == 204
    assert await tasks.forget_nodes(server.collector.jobs, server.collector.db)
    await server.collector.job_types.load()
    await submit(server, payload=1)
    assert (await server.get("/api/workers")).as_(Workers).workers == []
    (await server.call("DELETE", "/api/nodes/n1", ADMIN)).problem("not_found")
