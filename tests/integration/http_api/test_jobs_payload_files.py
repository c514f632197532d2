"""Payloads that come as files are held to what their type takes, as those in messages are."""

from __future__ import annotations

import hashlib
import json

import pytest

from forge_shared.job_messages import MAX_INLINE_BYTES, Job, JobFile, JobStatus
from tests.integration.http_api.jobs import Worker, cancel, job, new_id, retry, status, submit
from tests.integration.http_api.running import ADMIN, Answer, Server

SCHEMA = {"type": "object", "properties": {"jobs": {"type": "array"}}, "required": ["jobs"]}


def content(size: int, jobs: object) -> bytes:
    return json.dumps({"jobs": jobs, "filling": "x" * size}).encode()


async def awaited(server: Server, body: bytes) -> str:
    """Submit a job that waits for this payload."""
    digest = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    return await submit(server, payload_file=digest)


async def put(server: Server, job_id: str, body: bytes, span: str | None = None) -> Answer:
    headers = {**ADMIN, "Content-Type": "application/octet-stream"}
    if span is not None:
        headers["Content-Range"] = span
    return await server.call("PUT", f"/api/jobs/{job_id}/files/payload", headers, data=body)


@pytest.mark.parametrize("size", [10, MAX_INLINE_BYTES + 10])
async def test_a_payload_is_held_to_its_schema(server: Server, size: int) -> None:
    worker = await Worker.of(server)
    await worker.offer(payload_schema=SCHEMA)
    wrong, right = content(size, 1), content(size, [])
    job_id = await awaited(server, wrong)
    half = len(wrong) // 2
    first, last = (
        f"bytes 0-{half - 1}/{len(wrong)}",
        f"bytes {half}-{len(wrong) - 1}/{len(wrong)}",
    )
    assert (await put(server, job_id, wrong[:half], first)).as_(JobFile).received == half
    refused = await put(server, job_id, wrong[half:], last)
    problem = refused.problem("payload_invalid")
    assert (refused.status, [each.field for each in problem.errors]) == (422, ["payload.jobs"])
    failed = await job(server, job_id)
    assert (failed.status, failed.attempt_count) == (JobStatus.FAILED, 0)
    assert failed.error is not None
    assert (failed.error.code, failed.error.retryable) == ("payload_invalid", False)
    assert "payload.jobs: 1 is not of type 'array'" in failed.error.message
    # A reply may have been lost: whatever way it is asked again, the answer is the same.
    for body, span in ((wrong[half:], last), (wrong, None), (b"", f"bytes */{len(wrong)}")):
        assert (await put(server, job_id, body, span)).body == refused.body
    good = await awaited(server, right)
    assert (await put(server, good, right)).status == 200
    assert (await worker.one()).id == good


@pytest.mark.parametrize("body", [b"not json", b"", b'["\xff"]', b"not json" * 200_000])
async def test_what_is_no_json_is_refused_of_any_type(server: Server, body: bytes) -> None:
    job_id = await awaited(server, body)
    problem = (await put(server, job_id, body)).problem("payload_invalid")
    assert [each.field for each in problem.errors] == ["payload"]
    assert "schema" not in problem.detail
    failed = await job(server, job_id)
    assert failed.status is JobStatus.FAILED
    assert failed.error is not None
    assert failed.error.code == "payload_invalid"


async def test_where_the_schema_was_wrong_the_job_can_be_tried_again(server: Server) -> None:
    worker = await Worker.of(server)
    await worker.offer(payload_schema=False)
    body = content(10, [])
    job_id = await awaited(server, body)
    (await put(server, job_id, body)).problem("payload_invalid")
    assert (await retry(server, job_id)).as_(Job).status is JobStatus.WAITING
    assert await worker.claim() == []
    await worker.offer(payload_schema=SCHEMA)
    # All of it is there: who goes on with the upload asks how much is, and need send nothing.
    again = await put(server, job_id, b"", f"bytes */{len(body)}")
    assert again.as_(JobFile).received == len(body)
    assert (await worker.one()).id == job_id


async def test_a_job_that_has_ended_meanwhile_is_not_ended_again(server: Server) -> None:
    job_id = await awaited(server, b"not json")
    await cancel(server, job_id)
    (await put(server, job_id, b"not json")).problem("payload_invalid")
    assert await status(server, job_id) is JobStatus.CANCELLED
    assert server.collector.jobs.counts[JobStatus.FAILED] == 0


async def test_a_payload_for_a_job_that_came_with_its_own(server: Server) -> None:
    job_id = await submit(server, payload=1)
    problem = (await put(server, job_id, b"2")).problem("file_conflict")
    assert "has its payload already" in problem.detail
    (await put(server, new_id(), b"2")).problem("not_found")
