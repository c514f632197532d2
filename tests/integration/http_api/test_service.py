"""Health, readiness, and the collector's figures about itself."""

from __future__ import annotations

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from forge_shared.messages import Health
from tests.integration.http_api.running import ADMIN, Server, until
from tests.integration.http_api.watching import watching
from tests.unit.fleet.manual_clock import ManualClock


async def figures(server: Server) -> dict[str, float]:
    """Return every sample, as ``name{label=value}``."""
    answer = await server.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    found = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        assert family.name.startswith(("forge_", "process_"))
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


async def test_alive_and_ready(server: Server) -> None:
    assert (await server.call("GET", "/healthz")).as_(Health) == Health("ok")
    assert (await server.call("GET", "/readyz")).as_(Health) == Health("ready")


async def test_not_ready_when_it_cannot_keep_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.collector.db, "_waiting", 10**6)
    (await server.call("GET", "/readyz")).problem("not_ready")
    assert (await server.call("GET", "/healthz")).status == 200


async def test_counters_move(server: Server) -> None:
    before = await figures(server)
    token = await server.node()
    await server.push(token, 0)
    await server.replay(token, [server.line(0), server.line(1), b"x"])
    after = await figures(server)
    moved = {
        name: after[name] - before.get(name, 0)
        for name in after
        if name.startswith(("forge_ingest_pushes_total", "forge_ingest_snapshots_total"))
    }
    assert moved == {
        "forge_ingest_pushes_total": 2,
        "forge_ingest_snapshots_total{outcome=accepted}": 2,
        "forge_ingest_snapshots_total{outcome=duplicate}": 1,
        "forge_ingest_snapshots_total{outcome=rejected}": 1,
    }
    assert after["forge_commit_units_count"] > before["forge_commit_units_count"]
    assert after["forge_commit_seconds_sum"] > before["forge_commit_seconds_sum"]


async def test_gauges_tell_what_is(server: Server) -> None:
    await server.push(await server.node())
    async with watching(server, ADMIN) as watcher:
        await watcher.frame()
        found = await figures(server)
        assert found["forge_nodes{status=online}"] == 1
        assert found["forge_streams"] == 1
        assert found["forge_database_bytes"] > 0

    async def nothing_waits() -> bool:
        return (await figures(server))["forge_commit_waiting"] == 0

    await until(nothing_waits)  # housekeeping may, for a moment

    async def streams_are_closed() -> bool:
        await server.push(await server.node("n2"), node_id="n2")
        return (await figures(server))["forge_streams"] == 0

    await until(streams_are_closed)


async def test_a_machine_that_is_normally_off_is_off_in_figures_and_log_never_offline(
    server: Server, clock: ManualClock
) -> None:
    await server.push(await server.node())
    pc = await server.node("pc")
    await server.push(pc, node_id="pc")
    await server.call("PATCH", "/api/nodes/pc", ADMIN, json={"ephemeral": True})
    with structlog.testing.capture_logs() as logged:
        for silence_ms in (20_000, 50_000):  # degraded, then offline
            clock.advance(silence_ms)
            server.collector.live.refresh_statuses()
    found = await figures(server)
    assert (found["forge_nodes{status=off}"], found["forge_nodes{status=offline}"]) == (1, 1)
    changes = [
        (line["node"], line["before"], line["after"])
        for line in logged
        if line["event"] == "node.status_changed"
    ]
    assert sorted(changes) == [
        ("n1", "degraded", "offline"),
        ("n1", "online", "degraded"),
        ("pc", "online", "off"),
    ]
