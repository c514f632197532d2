"""Many jobs submitted in one request, a line each."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest

from forge_collector.jobs import job_types, store
from forge_shared import codec
from forge_shared.job_messages import (
    MAX_INLINE_BYTES,
    Jobs,
    JobStatus,
    SubmittedJob,
    SubmittedJobs,
    SubmittedLine,
)
from tests.integration.http_api.jobs import (
    Worker,
    begun,
    job,
    new_id,
    submit,
    sweep,
    waits_for_jobs,
)
from tests.integration.http_api.running import (
    ADMIN,
    JSON,
    PATIENCE_S,
    Answer,
    Headers,
    Server,
    bearer,
    until,
)
from tests.process import running_collector

PENDING, WAITING = JobStatus.PENDING, JobStatus.WAITING
SCHEMA = {"type": "object", "required": ["n"]}


def line(**wanted: Any) -> bytes:
    return json.dumps({"type": "echo", **wanted}).encode()


async def send(
    server: Server, body: bytes, who: Headers = ADMIN, media_type: str = codec.NDJSON
) -> Answer:
    headers = {**who, "Content-Type": media_type}
    return await server.call("POST", "/api/jobs", headers, data=body)


async def sent(server: Server, *lines: bytes, who: Headers = ADMIN) -> SubmittedJobs:
    answer = await send(server, b"\n".join(lines), who)
    assert answer.status == 200, answer.body
    return answer.as_(SubmittedJobs)


def refused(told: SubmittedJobs) -> list[tuple[int, str]]:
    return [(each.line, each.code) for each in told.refused]


async def count(server: Server) -> int:
    return len((await server.get("/api/jobs?limit=500")).as_(Jobs).jobs)


async def test_each_line_is_a_job_and_they_start_in_their_order(server: Server) -> None:
    body = b"\n".join(line(payload=number) for number in range(5)) + b"\r\n\n \n" + line(payload=5)
    told = (await send(server, body)).as_(SubmittedJobs)
    assert [each.line for each in told.jobs] == [1, 2, 3, 4, 5, 8]
    assert {each.status for each in told.jobs} == {PENDING}
    assert told.refused == []
    held = await (await Worker.of(server)).claim(max=9, slots={"cpu": 9})
    assert [each.id for each in held] == [each.id for each in told.jobs][: len(held)]
    assert [bytes(each.payload) for each in held] == [b"0", b"1", b"2", b"3"][: len(held)]
    assert len(held) == 4


async def test_a_bad_line_refuses_itself_alone(server: Server) -> None:
    await (await Worker.of(server)).offer(name="strict", payload_schema=SCHEMA)
    theirs = await submit(server, await server.submitter(), dedup_key="theirs")
    other = await server.submitter("another")
    digest = {"size": 3, "sha256": "0" * 64}
    told = await sent(
        server,
        line(payload=1),
        b"{",
        line(type="Echo!"),
        line(colour="red"),
        line(deadline=1_000_000_000_000),
        line(payload=1, payload_file=digest),
        line(payload="x" * MAX_INLINE_BYTES),
        line(type="strict", payload={}),
        line(id=theirs),
        line(dedup_key="theirs"),
        b"\xff",
        line(payload_file=digest),
        line(delay_s=60),
        line(type="strict", payload={"n": 1}),
        who=other,
    )
    assert refused(told) == [
        (2, "malformed_json"),
        (3, "invalid"),
        (4, "invalid"),
        (5, "deadline_passed"),
        (6, "invalid"),
        (7, "too_large"),
        (8, "payload_invalid"),
        (9, "id_taken"),
        (10, "id_taken"),
        (11, "malformed_json"),
    ]
    assert [(each.line, each.status) for each in told.jobs] == [
        (1, PENDING),
        (12, WAITING),
        (13, WAITING),
        (14, PENDING),
    ]
    details = {each.line: each.detail for each in told.refused}
    assert "small letters, digits" in details[3]
    assert "^" not in details[3]
    assert "'n' is a required property" in details[8]
    assert await count(server) == 5


async def test_a_line_is_refused_as_a_submission_alone_is(server: Server) -> None:
    await (await Worker.of(server)).offer(payload_schema=SCHEMA)
    bad = [line(payload={}), line(priority=101), line(id="1"), line(deadline=1_000_000_000_000)]
    told = await sent(server, *bad)
    for number, each in enumerate(bad):
        headers = {**ADMIN, "Content-Type": "application/json"}
        alone = await server.call("POST", "/api/jobs", headers, data=each)
        assert told.refused[number].detail == alone.problem(told.refused[number].code).detail


async def test_whatever_the_lines_are_each_is_answered(server: Server) -> None:
    random = Random(1)
    good = line(payload={"n": [1, 2.5, "é"]}, name="ö", requires={"os": "linux"}, delay_s=1)
    lines = [good]
    while len(lines) < codec.MAX_LINES:
        changed = bytearray(good)
        for _ in range(random.randint(1, 3)):
            at = random.randrange(len(changed))
            changed[at : at + random.randint(0, 2)] = random.randbytes(random.randint(0, 2))
        lines.append(bytes(changed).replace(b"\n", b"?"))
    told = await sent(server, *lines)
    answered = [*(each.line for each in told.jobs), *(each.line for each in told.refused)]
    assert sorted(answered) == list(range(1, codec.MAX_LINES + 1))
    assert {each.code for each in told.refused} == {"malformed_json", "invalid"}
    assert len(told.jobs) > 10
    assert await count(server) == len(told.jobs)


async def test_what_is_there_already_is_answered_also_from_the_same_batch(server: Server) -> None:
    before, twice = await submit(server, dedup_key="k"), new_id()
    told = await sent(
        server,
        line(id=twice),
        line(dedup_key="k"),
        line(id=twice, priority=5),
        line(dedup_key="new"),
        line(dedup_key="new"),
    )
    new = told.jobs[3].id
    assert [(each.id, each.deduplicated) for each in told.jobs] == [
        (twice, False),
        (before, True),
        (twice, True),
        (new, False),
        (new, True),
    ]
    assert await count(server) == 3
    assert server.collector.jobs.counts[PENDING] == 3
    assert (await job(server, twice)).priority == 0


async def test_a_batch_sent_again_makes_no_second_jobs(server: Server) -> None:
    lines = [line(id=new_id()) for _ in range(20)]
    first = await sent(server, *lines)
    again = await sent(server, *lines)
    assert [each.id for each in again.jobs] == [each.id for each in first.jobs]
    assert {each.deduplicated for each in again.jobs} == {True}
    assert await count(server) == 20


async def test_500_lines_are_taken_and_one_more_is_not(server: Server) -> None:
    lines = [line(payload=number) for number in range(501)]
    too_many = (await send(server, b"\n".join(lines))).problem("too_many_lines")
    assert "500" in too_many.detail
    assert await count(server) == 0
    told = await sent(server, *lines[:500])
    assert (len(told.jobs), told.refused) == (500, [])
    assert sorted(each.id for each in told.jobs) == [each.id for each in told.jobs]


async def test_a_batch_is_as_large_as_a_body_may_be_and_no_larger(server: Server) -> None:
    payload = "x" * (MAX_INLINE_BYTES - 2)
    told = await sent(server, *[line(payload=payload)] * 7)
    assert (len(told.jobs), told.refused) == (7, [])
    (await send(server, line(payload=payload) * 8)).problem("too_large")


@pytest.mark.parametrize("body", [b"", b"\n\n"])
async def test_an_empty_batch_is_none(server: Server, body: bytes) -> None:
    told = (await send(server, body)).as_(SubmittedJobs)
    assert (told.jobs, told.refused) == ([], [])


async def test_other_media_types_are_refused_and_one_job_is_answered_as_ever(
    server: Server,
) -> None:
    answer = await server.call(
        "POST", "/api/jobs", {**ADMIN, "Content-Type": "text/plain"}, data=line()
    )
    assert codec.NDJSON in answer.problem("unsupported_media_type").detail
    answer = await server.call("POST", "/api/jobs", ADMIN, json={"type": "echo"})
    assert answer.status == 201
    assert answer.as_(SubmittedJob).status is PENDING


async def test_a_batch_is_one_commit_and_wakes_a_claim_for_each_job(server: Server) -> None:
    workers = [await Worker.of(server, f"n{number}") for number in range(3)]
    await submit(server, priority=-1, requires={"node": "other"})  # its type is known by now
    claims = []
    for number, worker in enumerate(workers):
        claims.append(asyncio.ensure_future(worker.claim(wait_s=5)))
        await waits_for_jobs(server, number + 1)
    units: list[int] = []
    server.collector.db._observe_batch = lambda count, _seconds: units.append(count)
    told = await sent(server, line(type="other"), line(), line(), line(delay_s=60))
    async with asyncio.timeout(3):
        held = [*await claims[0], *await claims[1]]
    assert [each.id for each in held] == [each.id for each in told.jobs[1:3]]
    assert server.collector.jobs.count_waiting() == 1
    await until(lambda: 3 in units)  # the batch, and the two claims that it woke
    third = await submit(server)
    assert [each.id for each in await claims[2]] == [third]


async def test_who_waits_is_asked_once_for_all_that_nobody_can_take(server: Server) -> None:
    worker = await Worker.of(server)
    async with begun(worker.claim(wait_s=25)) as claim:
        await waits_for_jobs(server)
        calls = server.collector.jobs.waiting._calls
        told = await sent(server, *[line(requires={"tags": ["gpu"]})] * 50, line())
        (held,) = await asyncio.wait_for(claim, 5)
        assert held.id == told.jobs[-1].id
    assert server.collector.jobs.waiting._calls - calls == 2


async def test_payloads_are_checked_for_so_long_and_no_longer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await Worker.of(server)).offer(payload_schema=SCHEMA)
    lines = [line(payload={}) for _ in range(30)]
    monkeypatch.setattr(job_types, "_TURN_S", 0.0)  # each in a turn of its own
    assert len((await sent(server, *lines)).refused) == 30
    monkeypatch.setattr(job_types, "_MANY_TIME_S", 0.0)
    assert len((await sent(server, *lines)).jobs) == 30


async def test_who_is_revoked_while_payloads_are_checked_submits_nothing(server: Server) -> None:
    await (await Worker.of(server)).offer(payload_schema=SCHEMA)
    checked = threading.Event()
    thread = server.collector.job_types._thread
    thread.submit(checked.wait, PATIENCE_S)
    minted = await server.mint(role="submitter", name="a submitter")
    who = bearer(minted.token)
    good = line(payload={"n": 1})
    sending = [
        asyncio.ensure_future(send(server, good, who, media_type))
        for media_type in (JSON, codec.NDJSON)
    ]
    await until(lambda: thread._work_queue.qsize() == len(sending))
    await server.call("DELETE", f"/api/tokens/{minted.id}", ADMIN)
    checked.set()
    for answer in await asyncio.gather(*sending):
        assert "revoked" in answer.problem("unauthenticated").detail
    assert await count(server) == 0


async def test_jobs_of_a_batch_are_the_submitters_own(server: Server) -> None:
    one, other = await server.submitter(), await server.submitter("another")
    told = await sent(server, line(), line(), who=one)
    assert len((await server.get("/api/jobs", one)).as_(Jobs).jobs) == 2
    assert (await server.get("/api/jobs", other)).as_(Jobs).jobs == []
    (await send(server, line(), await server.viewer())).problem("forbidden")
    (await send(server, line(), await server.node())).problem("forbidden")
    server.clock.advance(1)
    await sweep(server)
    assert (await job(server, told.jobs[0].id)).submitted_by == "a submitter"


async def test_the_store_fails_for_all_of_a_batch_or_none(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(tx: Any, several: Any, at: Any) -> Any:
        store.submit(tx, next(iter(several)), at)
        raise store.RaceError

    with monkeypatch.context() as patched:
        patched.setattr(store, "submit_all", fails)
        (await send(server, line() + b"\n" + line())).problem("internal")
    assert await count(server) == 0
    assert server.collector.jobs.counts[PENDING] == 0


def test_what_a_batch_was_told_is_there_after_kill_9(tmp_path: Path) -> None:
    data = tmp_path / "data"
    body = b"\n".join([line(payload=number) for number in range(499)] + [b"?"])
    with running_collector(data) as collector:
        with collector.client() as admin:
            reply = admin.send("POST", "/api/jobs", body, {"Content-Type": codec.NDJSON})
        collector.kill()
    assert reply.status == 200
    told = codec.decode(reply.body, SubmittedJobs)
    assert refused(told) == [(500, "malformed_json")]
    assert told.jobs[0] == SubmittedLine(told.jobs[0].id, PENDING, line=1)
    with running_collector(data) as collector, collector.client() as admin:
        page = admin.get("/api/jobs?limit=500")
        assert {each["id"] for each in page["jobs"]} == {each.id for each in told.jobs}
        assert page["counts"]["pending"] == 499
