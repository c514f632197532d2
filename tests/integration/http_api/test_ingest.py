"""Pushing: what is stored, what is a duplicate, and what is refused and why."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from forge_shared.messages import FieldError, Fleet, IngestReply, NodeSnapshot
from tests.integration.http_api.running import ADMIN, BOOT_2, JSON, NDJSON, Server


async def points(server: Server, node_id: str = "n1") -> list[tuple[int, dict[str, Any]]]:
    answer = await server.get(f"/api/nodes/{node_id}/snapshot")
    return [(point.ts, point.values) for point in answer.as_(NodeSnapshot).points]


async def test_the_reply_to_a_push(server: Server) -> None:
    token = await server.node()
    answer = await server.push(token)
    assert answer.status == 200
    assert msgspec.json.decode(answer.body) == {
        "accepted": 1,
        "duplicates": 0,
        "rejected": [],
        "interval_s": 5,
    }


async def test_a_resend_is_a_duplicate_and_changes_nothing(server: Server) -> None:
    token = await server.node()
    await server.push(token, 0, values={"cpu.pct": 1})
    answer = await server.push(token, 0, values={"cpu.pct": 99})
    assert answer.as_(IngestReply) == IngestReply(0, 1, [], 5)
    assert [values for _, values in await points(server)] == [{"cpu.pct": 1}]


async def test_the_same_seq_of_another_boot_is_another_snapshot(server: Server) -> None:
    token = await server.node()
    await server.push(token, 0)
    answer = await server.push(token, 0, boot_id=BOOT_2)
    assert answer.as_(IngestReply).accepted == 1


async def test_a_replay_is_idempotent(server: Server) -> None:
    token = await server.node()
    lines = [server.line(seq, ts=server.clock.now_ms() + seq) for seq in range(20)]
    assert (await server.replay(token, lines)).as_(IngestReply) == IngestReply(20, 0, [], 5)
    assert (await server.replay(token, lines)).as_(IngestReply) == IngestReply(0, 20, [], 5)
    more = [*lines[10:], server.line(20), server.line(20)]
    assert (await server.replay(token, more)).as_(IngestReply) == IngestReply(1, 11, [], 5)
    assert len(await points(server)) == 21


async def test_a_bad_line_is_named_and_the_good_ones_stored(server: Server) -> None:
    token = await server.node()
    lines = [
        server.line(0),
        b'{"torn',
        server.line(1),
        server.line(2, ts=0),
        server.line(3, values={"cpu.pct": "high"}),
        server.line(4),
    ]
    answer = await server.replay(token, lines)
    assert answer.status == 200
    reply = answer.as_(IngestReply)
    assert (reply.accepted, reply.duplicates) == (3, 0)
    assert [(one.line, one.code) for one in reply.rejected] == [
        (2, "malformed_json"),
        (4, "invalid"),
        (5, "invalid"),
    ]
    assert "ts" in reply.rejected[1].detail
    assert len(await points(server)) == 3
    # The agent drops what was rejected, and goes on.
    assert (await server.push(token, 5)).as_(IngestReply).accepted == 1


async def test_a_replay_of_bad_lines_only_is_answered_too(server: Server) -> None:
    token = await server.node()
    reply = (await server.replay(token, [b"x"] * 500)).as_(IngestReply)
    assert (reply.accepted, len(reply.rejected)) == (0, 500)
    assert (await server.replay(token, [])).as_(IngestReply) == IngestReply(0, 0, [], 5)


async def test_a_replay_mixes_boots(server: Server) -> None:
    token = await server.node()
    lines = [
        server.line(seq, boot_id=boot) for seq in range(3) for boot in (BOOT_2, BOOT_2[:-1] + "0")
    ]
    assert (await server.replay(token, lines)).as_(IngestReply).accepted == 6


async def test_a_replay_leaves_live_state_alone(server: Server) -> None:
    token = await server.node()
    await server.push(token, 10, values={"cpu.pct": 50})
    old = server.clock.now_ms() - 3_600_000
    await server.replay(token, [server.line(seq, ts=old + seq, values={}) for seq in range(5)])
    node = (await server.get("/api/fleet")).as_(Fleet).nodes[0]
    assert node.latest is not None
    assert (node.latest.ts, node.latest.values) == (server.clock.now_ms(), {"cpu.pct": 50})


async def test_a_boot_first_heard_of_in_a_replay_goes_live(server: Server) -> None:
    token = await server.node()
    await server.push(token, 0, values={"cpu.pct": 1})
    await server.replay(token, [server.line(0, boot_id=BOOT_2)])
    await server.push(token, 1, boot_id=BOOT_2, values={"cpu.pct": 2})
    node = (await server.get("/api/fleet")).as_(Fleet).nodes[0]
    assert node.latest is not None
    assert node.latest.values == {"cpu.pct": 2}


async def test_500_lines_are_taken_and_501_are_too_many(server: Server) -> None:
    token = await server.node()
    lines = [server.line(seq) for seq in range(501)]
    assert (await server.replay(token, lines[:500])).as_(IngestReply).accepted == 500
    assert "500 lines" in (await server.replay(token, lines)).problem("too_many_lines").detail


async def test_values_nobody_knows_are_kept_exactly(server: Server) -> None:
    token = await server.node()
    values = {"newer.metric/Größe «1»": 1234.56789, "cpu.pct": 3.14159, "big.int": 2**53 - 1}
    assert (await server.push(token, values=values)).status == 200
    assert [stored for _, stored in await points(server)] == [values]


async def test_a_snapshot_may_hold_1024_values_and_no_more(server: Server) -> None:
    token = await server.node()
    values = {f"cpu.core_pct/{core}": 1.5 for core in range(1024)}
    assert (await server.push(token, 0, values=values)).status == 200
    answer = await server.push(token, 1, values={**values, "cpu.pct": 1})
    assert answer.problem("too_many_values").errors[0].field == "values"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"seq": "0"}, "seq"),
        ({"seq": -1}, "seq"),
        ({"seq": 2**53}, "seq"),
        ({"boot_id": "x"}, "boot_id"),
        ({"ts": 1.5}, "ts"),
        ({"ts": 946_684_799_999}, "ts"),
        ({"ts": 4_102_444_800_001}, "ts"),
        ({"values": []}, "values"),
        ({"values": {"cpu.pct": "3"}}, "values.cpu.pct"),
        ({"values": {"cpu.pct": None}}, "values.cpu.pct"),
        ({"host": {"os": 3}}, "host.os"),
        ({"host": {"os": "x" * 257}}, "host.os"),
        ({"host": {"mem_total_bytes": -1}}, "host.mem_total_bytes"),
        ({"host": []}, "host"),
    ],
)
async def test_a_wrong_field_is_named(server: Server, changes: dict[str, Any], field: str) -> None:
    answer = await server.push(await server.node(), **changes)
    problem = answer.problem("invalid")
    assert [error.field for error in problem.errors] == [field]
    assert problem.detail.startswith(f"{field}: ")
    assert (await server.get("/api/fleet")).as_(Fleet).nodes == []


@pytest.mark.parametrize(
    ("key", "number", "code"),
    [
        ("CPU", "1", "bad_metric_key"),
        ("cpu pct", "1", "bad_metric_key"),
        ("cpu.pct", "9007199254740992", "out_of_bounds"),
        ("cpu.pct", "-1e300", "out_of_bounds"),
        ("new.metric", "9007199254740992", "out_of_bounds"),
    ],
)
async def test_a_wrong_value_is_named(server: Server, key: str, number: str, code: str) -> None:
    token = await server.node()
    body = server.line(values={key: 0}).replace(b'":0}', b'":' + number.encode() + b"}")
    answer = await server.call("POST", "/api/ingest/n1", {**token, "Content-Type": JSON}, data=body)
    assert key in answer.problem(code).errors[0].field


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1.", "0x1", "1e"])
async def test_what_json_has_no_number_for_is_malformed(server: Server, number: str) -> None:
    token = await server.node()
    body = server.line(values={"cpu.pct": 0}).replace(b":0}", b":" + number.encode() + b"}")
    headers = {**token, "Content-Type": JSON}
    (await server.call("POST", "/api/ingest/n1", headers, data=body)).problem("malformed_json")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"\x00", b"seq=0", b"{'seq': 0}"])
async def test_what_is_no_json_is_malformed(server: Server, body: bytes) -> None:
    headers = {**await server.node(), "Content-Type": JSON}
    answer = await server.call("POST", "/api/ingest/n1", headers, data=body)
    assert "UTF-8" in answer.problem("malformed_json").detail


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/xml", "application/jso", "x"]
)
async def test_another_content_type_is_refused(server: Server, content_type: str) -> None:
    headers = {**await server.node(), "Content-Type": content_type}
    answer = await server.call("POST", "/api/ingest/n1", headers, data=server.line())
    assert NDJSON in answer.problem("unsupported_media_type").detail


@pytest.mark.parametrize(
    "content_type", [JSON, "Application/JSON", f"{JSON}; charset=utf-8", f"{JSON};v=1"]
)
async def test_json_by_any_spelling_is_taken(server: Server, content_type: str) -> None:
    headers = {**await server.node(), "Content-Type": content_type}
    answer = await server.call("POST", "/api/ingest/n1", headers, data=server.line())
    assert answer.status == 200


@pytest.mark.parametrize("path", ["n2", "N1", "n1%20", "n1%2Fx", "%6E1x", "%00", "%ff", "x" * 3000])
async def test_a_node_speaks_for_itself_alone(server: Server, path: str) -> None:
    answer = await server.call(
        "POST", f"/api/ingest/{path}", await server.node(), json=server.snapshot()
    )
    assert "n1" in answer.problem("foreign_node").detail
    assert (await server.get("/api/fleet")).as_(Fleet).nodes == []


async def test_a_node_id_may_come_escaped(server: Server) -> None:
    answer = await server.call(
        "POST", "/api/ingest/%6E1", await server.node(), json=server.snapshot()
    )
    assert answer.status == 200


@pytest.mark.parametrize(
    "node_id", ["", "-x", "a b", "a/b", "ä", "a\n", "x" * 65, "..", "\u0000", "<script>"]
)
async def test_an_odd_node_id_gets_no_token(server: Server, node_id: str) -> None:
    answer = await server.call("POST", "/api/tokens", ADMIN, json={"node_id": node_id})
    assert [error.field for error in answer.problem("invalid").errors] == ["node_id"]


async def test_the_longest_node_id_works_throughout(server: Server) -> None:
    node_id = "N" + "._-9" * 15 + "xyz"
    token = await server.node(node_id)
    assert (await server.push(token, node_id=node_id)).status == 200
    assert len(await points(server, node_id)) == 1


async def test_host_facts_stay_until_they_change(server: Server) -> None:
    token = await server.node()
    await server.push(token, 0, host={"os": "Debian", "cpu_cores": 8})
    await server.push(token, 1)
    node = (await server.get("/api/fleet")).as_(Fleet).nodes[0]
    assert (node.host.os, node.host.cpu_cores) == ("Debian", 8)
    assert node.host == msgspec.structs.replace(node.host, os="Debian", cpu_cores=8)


async def test_an_unknown_field_of_a_newer_agent_is_ignored(server: Server) -> None:
    answer = await server.push(await server.node(), mood="fine", host={"newer": [1]})
    assert answer.status == 200


async def test_errors_have_this_shape(server: Server) -> None:
    answer = await server.push(await server.node(), seq=-1)
    problem = answer.problem("invalid")
    assert problem.errors == [FieldError("seq", "must be a whole number, 0 at least")]
