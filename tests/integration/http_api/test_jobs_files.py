"""Large payloads, results and checkpoints: in parts, whole or not there, gone with the job."""

from __future__ import annotations

import asyncio
import hashlib
import string
from pathlib import Path

import pytest

from forge_collector.jobs import rules, tasks
from forge_collector.jobs.files import Draft
from forge_shared.job_messages import (
    MAX_FILE_BYTES,
    ClaimedJob,
    FileDigest,
    Job,
    JobFile,
    JobStatus,
)
from tests.integration.http_api.jobs import (
    Worker,
    cancel,
    job,
    new_id,
    retry,
    status,
    submit,
    sweep,
)
from tests.integration.http_api.running import ADMIN, Answer, Headers, Server

CONTENT = b'"%s"' % (string.ascii_letters * 40)[:2046].encode()
SHA256 = hashlib.sha256(CONTENT).hexdigest()
BYTES = "application/octet-stream"


def digest(content: bytes = CONTENT) -> dict[str, object]:
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


async def put(
    server: Server,
    job_id: str,
    name: str,
    body: bytes,
    who: Headers = ADMIN,
    **headers: str,
) -> Answer:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    headers = {**who, "Content-Type": BYTES, **named}
    return await server.call("PUT", f"/api/jobs/{job_id}/files/{name}", headers, data=body)


async def put_part(
    server: Server, job_id: str, first: int, last: int, name: str = "payload"
) -> Answer:
    part = CONTENT[first : last + 1]
    span = f"bytes {first}-{last}/{len(CONTENT)}"
    return await put(server, job_id, name, part, Content_Range=span)


async def asked(server: Server, job_id: str) -> JobFile:
    answer = await put(server, job_id, "payload", b"", Content_Range=f"bytes */{len(CONTENT)}")
    return answer.as_(JobFile)


async def get(
    server: Server, job_id: str, name: str, who: Headers = ADMIN, **headers: str
) -> Answer:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return await server.call("GET", f"/api/jobs/{job_id}/files/{name}", {**who, **named})


def folder(server: Server, job_id: str) -> Path:
    return server.collector.settings.data / "jobs" / job_id


async def leased(server: Server) -> tuple[Worker, ClaimedJob]:
    worker = await Worker.of(server)
    await submit(server)
    return worker, await worker.one()


async def lose(server: Server) -> None:
    """Let all leases run out."""
    server.clock.advance(rules.LEASE_TTL_MS)
    await sweep(server)


async def test_a_job_starts_when_its_payload_is_whole(server: Server) -> None:
    worker = await Worker.of(server)
    job_id = await submit(server, payload_file=digest())
    assert await worker.claim() == []
    because = (await job(server, job_id)).waits_because
    assert because is not None
    assert "upload" in because
    assert (await asked(server, job_id)).received == 0
    assert (await put_part(server, job_id, 0, 999)).as_(JobFile).received == 1000
    assert (await asked(server, job_id)) == JobFile("payload", len(CONTENT), SHA256, 1000)
    last = await put_part(server, job_id, 1000, len(CONTENT) - 1)
    assert last.as_(JobFile).received == len(CONTENT)
    held = await worker.one()
    assert (held.payload_file, bytes(held.payload)) == (FileDigest(len(CONTENT), SHA256), b"null")
    read = await get(server, job_id, "payload", worker.token, Forge_Lease=held.lease)
    assert (read.status, read.body) == (200, CONTENT)
    assert [each.name for each in (await job(server, job_id)).files] == ["payload"]


async def test_a_payload_that_never_comes_is_not_waited_for(server: Server) -> None:
    job_id = await submit(server, payload_file=digest())
    await put_part(server, job_id, 0, 999)
    server.clock.advance(rules.PAYLOAD_MISSING_MS)
    await sweep(server)
    given_up = await job(server, job_id)
    assert given_up.status is JobStatus.FAILED
    assert given_up.error is not None
    assert given_up.error.code == "payload_missing"
    # As the message says: upload the rest, and retry it.
    assert (await asked(server, job_id)).received == 1000
    await put_part(server, job_id, 1000, len(CONTENT) - 1)
    assert (await retry(server, job_id)).as_(Job).status is JobStatus.PENDING


async def test_parts_that_were_sent_before_are_no_fault(server: Server) -> None:
    job_id = await submit(server, payload_file=digest())
    await put_part(server, job_id, 0, 999)
    assert (await put_part(server, job_id, 0, 999)).as_(JobFile).received == 1000
    assert (await put_part(server, job_id, 500, 1499)).as_(JobFile).received == 1500
    refused = await put_part(server, job_id, 1600, 1700)
    assert "1,500" in refused.problem("range_mismatch").detail
    for _ in range(2):
        whole = await put_part(server, job_id, 1500, len(CONTENT) - 1)
        assert whole.as_(JobFile).received == len(CONTENT)
    assert (await get(server, job_id, "payload")).body == CONTENT


async def test_an_upload_goes_on_after_a_restart(server: Server) -> None:
    """What is hashed in memory is not what counts."""
    job_id = await submit(server, payload_file=digest())
    await put_part(server, job_id, 0, 999)
    server.collector.job_files._hashes.clear()
    await put_part(server, job_id, 1000, len(CONTENT) - 1)
    assert await status(server, job_id) is JobStatus.PENDING


async def test_other_bytes_than_were_announced_are_thrown_away(server: Server) -> None:
    job_id = await submit(server, payload_file=digest())
    wrong = await put(server, job_id, "payload", CONTENT[::-1])
    assert SHA256 in wrong.problem("file_conflict").detail
    assert (await asked(server, job_id)).received == 0
    assert await status(server, job_id) is JobStatus.WAITING
    (await put(server, job_id, "payload", CONTENT + b"x")).problem("file_conflict")
    other = await put(server, job_id, "payload", CONTENT, Forge_Sha256="0" * 64)
    other.problem("file_conflict")
    assert (await put(server, job_id, "payload", CONTENT)).status == 200


@pytest.mark.parametrize(
    ("span", "body"),
    [
        ("bytes 0-9/100", b"x"),
        ("bytes 5-4/100", b""),
        ("bytes 0-0/0", b"x"),
        ("bytes 99-100/100", b"xy"),
        ("bytes 0-0/*", b"x"),
        ("lines 0-0/1", b"x"),
        ("bytes */100", b"x"),
        (f"bytes 0-0/{MAX_FILE_BYTES + 1}", b"x"),
        ("bytes 0-0/9999999999999999999", b"x"),
    ],
)
async def test_a_span_that_cannot_be_is_refused(server: Server, span: str, body: bytes) -> None:
    job_id = await submit(server, payload_file=digest())
    answer = await put(server, job_id, "payload", body, Content_Range=span)
    answer.problem("invalid")
    assert not folder(server, job_id).exists()


async def test_what_is_too_large_is_refused(server: Server) -> None:
    refused = {"size": MAX_FILE_BYTES + 1, "sha256": SHA256}
    wanted = {"type": "echo", "payload_file": refused}
    (await server.call("POST", "/api/jobs", ADMIN, json=wanted)).problem("invalid")
    job_id = await submit(server, payload_file={"size": MAX_FILE_BYTES, "sha256": SHA256})
    part = bytes(8 * 1024 * 1024 + 1)
    span = f"bytes 0-{len(part) - 1}/{MAX_FILE_BYTES}"
    (await put(server, job_id, "payload", part, Content_Range=span)).problem("too_large")
    assert not folder(server, job_id).exists()


@pytest.mark.parametrize(
    ("span", "status_code", "body"),
    [
        ("bytes=0-3", 206, CONTENT[:4]),
        ("bytes=2000-", 206, CONTENT[2000:]),
        ("bytes=-5", 206, CONTENT[-5:]),
        ("bytes=0-99999", 206, CONTENT),
        ("bytes=2048-", 416, None),
        ("bytes=9-1", 416, None),
        ("lines=1-2", 416, None),
    ],
)
async def test_a_range_of_a_file(
    server: Server, span: str, status_code: int, body: bytes | None
) -> None:
    job_id = await submit(server, payload_file=digest())
    await put(server, job_id, "payload", CONTENT)
    answer = await get(server, job_id, "payload", Range=span)
    assert answer.status == status_code
    if body is None:
        answer.problem("range_not_satisfiable")
        assert answer.headers["Content-Range"] == f"bytes */{len(CONTENT)}"
    else:
        assert answer.body == body
        assert answer.headers["Content-Disposition"] == "attachment"


async def test_a_result_as_a_file(server: Server) -> None:
    worker, held = await leased(server)
    early = await worker.answer(held, result_file=digest())
    early.problem("file_incomplete")
    (await put(server, held.id, "result", CONTENT, worker.token)).problem("stale_lease")
    named = {"Forge_Lease": held.lease, "Forge_Sha256": SHA256}
    half = await put(
        server,
        held.id,
        "result",
        CONTENT[:1024],
        worker.token,
        Content_Range="bytes 0-1023/2048",
        **named,
    )
    assert half.as_(JobFile).received == 1024
    (await get(server, held.id, "result")).problem("file_incomplete")
    (await worker.answer(held, result_file=digest())).problem("file_incomplete")
    assert (await put(server, held.id, "result", CONTENT, worker.token, **named)).status == 200
    assert (await worker.answer(held, result_file=digest())).status == 200
    assert (await get(server, held.id, "result")).body == CONTENT
    done = await job(server, held.id)
    assert (done.status, bytes(done.result)) == ("succeeded", b"null")
    late = await put(server, held.id, "result", b"late", worker.token, **named)
    late.problem("stale_lease")


async def brought(
    server: Server, worker: Worker, held: ClaimedJob, content: bytes, span: str | None = None
) -> Answer:
    """Upload a result, or as much of it as ``content`` is; ``span``: of which whole."""
    named = {"Forge_Lease": held.lease, "Forge_Sha256": hashlib.sha256(content).hexdigest()}
    if span is not None:
        named["Content_Range"] = f"bytes 0-1023/{span}"
        content = content[:1024]
    return await put(server, held.id, "result", content, worker.token, **named)


async def test_a_file_of_another_attempt_is_not_the_result(server: Server) -> None:
    """The first attempt uploads all of its result, and is lost before it says so."""
    worker, held = await leased(server)
    assert (await brought(server, worker, held, CONTENT)).as_(JobFile).received == len(CONTENT)
    (await get(server, held.id, "result")).problem("not_found")
    assert (await job(server, held.id)).files == []
    await lose(server)
    again = await worker.one()
    (await get(server, held.id, "result")).problem("not_found")
    assert (await worker.answer(again, result={"inline": True})).status == 200
    done = await job(server, held.id)
    assert (done.files, bytes(done.result)) == ([], b'{"inline":true}')
    (await get(server, held.id, "result")).problem("not_found")


async def test_the_file_of_a_failed_attempt_is_no_result(server: Server) -> None:
    worker, held = await leased(server)
    await brought(server, worker, held, CONTENT)
    error = {"code": "unlucky", "retryable": False}
    assert (await worker.answer(held, "failed", error=error)).status == 200
    assert (await job(server, held.id)).files == []
    (await get(server, held.id, "result")).problem("not_found")


@pytest.mark.parametrize("was_whole", [True, False])
async def test_attempts_results_are_not_mixed(server: Server, was_whole: bool) -> None:
    worker, held = await leased(server)
    await brought(server, worker, held, CONTENT, None if was_whole else "2048")
    await lose(server)
    again = await worker.one()
    other = CONTENT[::-1]
    # What the attempt before announced is no word of this one.
    silent = await put(
        server,
        again.id,
        "result",
        b"",
        worker.token,
        Forge_Lease=again.lease,
        Content_Range=f"bytes */{len(other)}",
    )
    silent.problem("file_conflict")
    (await worker.answer(again, result_file=digest(other))).problem("file_incomplete")
    half = await brought(server, worker, again, other, "2048")
    assert half.as_(JobFile).received == 1024
    assert [(each.sha256, each.received) for each in (await job(server, held.id)).files] == [
        (hashlib.sha256(other).hexdigest(), 1024)
    ]
    (await worker.answer(again, result_file=digest(other))).problem("file_incomplete")
    assert (await brought(server, worker, again, other)).status == 200
    assert (await worker.answer(again, result_file=digest(other))).status == 200
    assert (await get(server, held.id, "result")).body == other
    assert [each.sha256 for each in (await job(server, held.id)).files] == [digest(other)["sha256"]]
    assert [each.name for each in folder(server, held.id).iterdir()] == [
        f"result.{digest(other)['sha256']}"
    ]


async def test_an_attempt_goes_on_with_the_same_result(server: Server) -> None:
    """The bytes are what counts: those that are there need not come again."""
    worker, held = await leased(server)
    await brought(server, worker, held, CONTENT)
    await lose(server)
    again = await worker.one()
    assert (await worker.answer(again, result_file=digest())).status == 200
    assert (await get(server, held.id, "result")).body == CONTENT


async def test_a_checkpoint_as_a_file_reaches_the_next_attempt(server: Server) -> None:
    worker, held = await leased(server)
    for content in (CONTENT, CONTENT[::-1]):
        sha256 = hashlib.sha256(content).hexdigest()
        brought = await put(
            server,
            held.id,
            "checkpoint",
            content,
            worker.token,
            Forge_Lease=held.lease,
            Forge_Sha256=sha256,
        )
        assert brought.status == 200, brought.body
    # A newer one that breaks off leaves the last whole one as it is.
    await put(
        server,
        held.id,
        "checkpoint",
        b"half",
        worker.token,
        Content_Range="bytes 0-3/8",
        Forge_Lease=held.lease,
        Forge_Sha256="0" * 64,
    )
    await worker.answer(held, "yielded")
    other = await Worker.of(server, "n2")
    again = await other.one()
    assert again.checkpoint_file == FileDigest(len(CONTENT), sha256)
    read = await get(server, again.id, "checkpoint", other.token, Forge_Lease=again.lease)
    assert read.body == CONTENT[::-1]
    stale = await get(server, again.id, "checkpoint", worker.token, Forge_Lease=held.lease)
    stale.problem("stale_lease")


async def test_who_may_bring_and_fetch_what(server: Server) -> None:
    mine, other = await server.submitter("mine"), await server.submitter("other")
    job_id = await submit(server, mine, payload_file=digest())
    (await put(server, job_id, "payload", CONTENT, other)).problem("not_found")
    (await put(server, job_id, "result", CONTENT, mine)).problem("forbidden")
    (await put(server, job_id, "passwords", CONTENT, mine)).problem("not_found")
    (await put(server, job_id, "payload", CONTENT, await server.viewer())).problem("forbidden")
    assert (await put(server, job_id, "payload", CONTENT, mine)).status == 200
    (await get(server, job_id, "payload", other)).problem("not_found")
    assert (await get(server, job_id, "payload", mine)).body == CONTENT
    assert (await get(server, job_id, "payload", await server.viewer())).body == CONTENT
    worker = await Worker.of(server)
    held = await worker.one()
    (await get(server, job_id, "payload", worker.token)).problem("stale_lease")
    thief = await Worker.of(server, "n2")
    stolen = await get(server, job_id, "payload", thief.token, Forge_Lease=held.lease)
    stolen.problem("stale_lease")
    wrong = await put(server, job_id, "payload", CONTENT, worker.token, Forge_Lease=held.lease)
    wrong.problem("forbidden")
    (await get(server, job_id, "result")).problem("not_found")
    (await get(server, new_id(), "payload")).problem("not_found")


async def test_files_are_private_and_go_with_the_job(server: Server) -> None:
    job_id = await submit(server, payload_file=digest())
    kept = await submit(server, payload_file=digest())
    for each in (job_id, kept):
        await put(server, each, "payload", CONTENT)
    path = folder(server, job_id)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o700, 0o700)
    assert [each.stat().st_mode & 0o777 for each in path.iterdir()] == [0o600]
    assert (await cancel(server, job_id)).as_(Job).status is JobStatus.CANCELLED
    collector = server.collector
    await tasks.prune(collector.jobs, collector.db, collector.job_files, 30)
    assert path.exists()
    server.clock.advance(30 * 24 * 3600 * 1000 + 1)
    await tasks.prune(collector.jobs, collector.db, collector.job_files, 30)
    assert not path.exists()
    (await server.get(f"/api/jobs/{job_id}")).problem("not_found")
    assert (await get(server, kept, "payload")).body == CONTENT


async def test_files_of_nobody_are_removed(server: Server) -> None:
    job_id = await submit(server, payload_file=digest())
    await put(server, job_id, "payload", CONTENT)
    orphan = folder(server, new_id())
    orphan.mkdir()
    (orphan / "payload").write_bytes(b"left behind")
    await tasks.remove_orphans(server.collector.db, server.collector.job_files)
    assert [each.name for each in folder(server, "").iterdir()] == [job_id]


async def test_a_file_that_was_lost_is_said_to_be(server: Server) -> None:
    job_id = await submit(server, payload_file=digest())
    await put(server, job_id, "payload", CONTENT)
    (folder(server, job_id) / f"payload.{SHA256}").unlink()
    (await get(server, job_id, "payload")).problem("not_found")


async def test_a_file_that_the_store_never_heard_of_takes_nothing_away(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the collector ends between the one and the other, or the lease does."""
    worker, held = await leased(server)
    lease = {"Forge_Lease": held.lease}
    await put(server, held.id, "checkpoint", CONTENT, worker.token, **lease, Forge_Sha256=SHA256)
    newer = CONTENT[::-1]
    sha256 = hashlib.sha256(newer).hexdigest()
    files = server.collector.job_files
    finish = files.finish

    def finish_and_fail(draft: Draft) -> None:
        finish(draft)
        raise OSError

    with monkeypatch.context() as broken:
        broken.setattr(files, "finish", finish_and_fail)
        failed = await put(
            server, held.id, "checkpoint", newer, worker.token, **lease, Forge_Sha256=sha256
        )
    failed.problem("storage_failed")
    read = await get(server, held.id, "checkpoint", worker.token, **lease)
    assert read.body == CONTENT
    await put(server, held.id, "checkpoint", newer, worker.token, **lease, Forge_Sha256=sha256)
    read = await get(server, held.id, "checkpoint", worker.token, **lease)
    assert read.body == newer
    assert [each.name for each in folder(server, held.id).iterdir()] == [f"checkpoint.{sha256}"]


async def test_an_empty_file_is_whole_when_it_is_asked_for(server: Server) -> None:
    worker, held = await leased(server)
    lease = {"Forge_Lease": held.lease, "Forge_Sha256": hashlib.sha256(b"").hexdigest()}
    answer = await put(
        server, held.id, "checkpoint", b"", worker.token, Content_Range="bytes */0", **lease
    )
    assert answer.as_(JobFile).received == 0
    read = await get(server, held.id, "checkpoint", worker.token, **lease)
    assert (read.status, read.body) == (200, b"")


async def test_a_lease_that_is_no_text_is_none(server: Server) -> None:
    worker, held = await leased(server)
    head = (
        f"GET /api/jobs/{held.id}/files/result HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: {worker.token['Authorization']}\r\nConnection: close\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", server.collector.port)
    writer.write(head.encode() + b"Forge-Lease: \xff\xfe\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert b" 409 " in answer.partition(b"\r\n")[0]
    assert b"stale_lease" in answer
