"""Jobs as they are submitted: what is taken, and what is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from forge_shared.job_messages import MAX_INLINE_BYTES, Jobs, JobStatus, SubmittedJob
from tests.integration.http_api.jobs import Worker, job, new_id, submit
from tests.integration.http_api.running import ADMIN, JSON, Answer, Server, until


async def test_a_submission_sent_again_is_the_same_job(server: Server) -> None:
    wanted: dict[str, Any] = {"type": "echo", "id": new_id(), "payload": 1}
    first = await server.call("POST", "/api/jobs", ADMIN, json=wanted)
    again = await server.call("POST", "/api/jobs", ADMIN, json=wanted)
    assert (first.status, again.status) == (201, 200)
    assert again.as_(SubmittedJob) == SubmittedJob(wanted["id"], JobStatus.PENDING, True)
    other = await server.submitter()
    (await server.call("POST", "/api/jobs", other, json=wanted)).problem("id_taken")


async def test_a_dedup_key_is_of_one_unfinished_job(server: Server) -> None:
    wanted: dict[str, Any] = {"type": "echo", "dedup_key": "nightly"}
    worker = await Worker.of(server)
    first = await submit(server, **wanted)
    again = await server.call("POST", "/api/jobs", ADMIN, json=wanted)
    assert (again.status, again.as_(SubmittedJob).id) == (200, first)
    other = await server.submitter()
    (await server.call("POST", "/api/jobs", other, json=wanted)).problem("id_taken")
    await worker.answer(await worker.one())
    assert await submit(server, **wanted) != first


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"type": "Echo!"}, "invalid"),
        ({"type": "echo", "colour": "red"}, "invalid"),
        ({"type": "echo", "priority": 101}, "invalid"),
        ({"type": "echo", "id": "1"}, "invalid"),
        ({"type": "echo", "requires": {"cpus": 2}}, "invalid"),
        ({"type": "echo", "deadline": 1_000_000_000_000}, "deadline_passed"),
        (
            {"type": "echo", "payload": 1, "payload_file": {"size": 1, "sha256": "0" * 64}},
            "invalid",
        ),
        ({"type": "echo", "payload": "x" * MAX_INLINE_BYTES}, "too_large"),
        ({"type": "echo", "payload": "x" * (2 * MAX_INLINE_BYTES)}, "too_large"),
    ],
)
async def test_a_bad_submission_is_refused(
    server: Server, wanted: dict[str, Any], code: str
) -> None:
    (await server.call("POST", "/api/jobs", ADMIN, json=wanted)).problem(code)
    assert (await server.get("/api/jobs")).as_(Jobs).jobs == []


async def test_a_delay_beyond_the_deadline_is_refused_and_says_so(server: Server) -> None:
    def wanted(left_s: int) -> dict[str, Any]:
        deadline = server.clock.now_ms() + 1000 * left_s
        return {"type": "echo", "delay_s": 60, "deadline": deadline}

    for left_s in (59, 60):
        refused = await server.call("POST", "/api/jobs", ADMIN, json=wanted(left_s))
        problem = refused.problem("deadline_passed")
        assert refused.status == 422
        assert "delay_s" in problem.detail
    assert (await job(server, await submit(server, **wanted(61)))).status is JobStatus.WAITING


async def submit_as_it_is(server: Server, payload: bytes) -> Answer:
    headers = {**ADMIN, "Content-Type": JSON}
    body = b'{"type": "echo", "payload": %b}' % payload
    return await server.call("POST", "/api/jobs", headers, data=body)


@pytest.mark.parametrize("payload", [b'"\xff"', b"1e999"])
async def test_a_payload_that_nobody_could_read_is_refused(server: Server, payload: bytes) -> None:
    refused = (await submit_as_it_is(server, payload)).problem("invalid")
    assert [each.field for each in refused.errors] == ["payload"]
    assert (await server.get("/api/jobs")).as_(Jobs).jobs == []


async def test_a_payload_that_is_nested_deeply_can_be_read_again(server: Server) -> None:
    payload = b"[" * 900 + b"]" * 900
    job_id = (await submit_as_it_is(server, payload)).as_(SubmittedJob).id
    assert bytes((await job(server, job_id)).payload) == payload
    assert msgspec.json.decode((await server.get(f"/api/jobs/{job_id}")).body)


async def test_a_payload_of_the_full_size_is_taken(server: Server) -> None:
    payload = "x" * (MAX_INLINE_BYTES - 2)
    job_id = await submit(server, payload=payload)
    assert bytes((await (await Worker.of(server)).one()).payload) == f'"{payload}"'.encode()
    assert (await job(server, job_id)).status is JobStatus.RUNNING


SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer", "minimum": 1},
        "list": {"items": {"type": "string", "pattern": "(a+)+$"}, "uniqueItems": True},
    },
    "required": ["n"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"n": 0}, "payload.n"),
        ({}, "payload"),
        ({"n": 1, "m": 2}, "payload.m"),
        ({"n": 1, "list": ["a", 2]}, "payload.list[1]"),
        ({"n": 1, "list": ["a", "b", "a"]}, "payload.list"),
        (None, "payload"),
    ],
)
async def test_a_payload_is_held_to_its_types_schema(
    server: Server, payload: object, field: str
) -> None:
    await (await Worker.of(server)).offer(payload_schema=SCHEMA)
    answer = await server.call(
        "POST", "/api/jobs", ADMIN, json={"type": "echo", "payload": payload}
    )
    assert answer.problem("payload_invalid").errors[0].field == field
    await submit(server, payload={"n": 1, "list": ["a" * 40 + "!"]})


async def test_a_schema_that_is_none_keeps_nobody_from_working(server: Server) -> None:
    worker = await Worker.of(server)
    await worker.offer(payload_schema={"type": "nonsense"})
    await submit(server, payload=3)
    assert len(await worker.claim()) == 1


async def test_a_newer_version_brings_its_schema(server: Server) -> None:
    worker = await Worker.of(server)
    await worker.offer(payload_schema=SCHEMA)
    refused = await server.call("POST", "/api/jobs", ADMIN, json={"type": "echo", "payload": 3})
    refused.problem("payload_invalid")
    await worker.offer(version="1.1", payload_schema={"type": "integer"})
    await submit(server, payload=3)


async def test_what_a_node_said_of_a_type_goes_with_it(server: Server) -> None:
    await (await Worker.of(server)).offer(payload_schema={"type": "integer"})
    strange = await Worker.of(server, "n2")
    await server.push(strange.token, node_id="n2")
    await strange.offer(version="9.9", payload_schema={"not": {}})
    wanted = {"type": "echo", "payload": 3}
    refused = await server.call("POST", "/api/jobs", ADMIN, json=wanted)
    refused.problem("payload_invalid")
    assert (await server.call("DELETE", "/api/nodes/n2", ADMIN)).status == 204

    async def is_taken() -> bool:
        return (await server.call("POST", "/api/jobs", ADMIN, json=wanted)).status == 201

    await until(is_taken)
