"""Jobs as people see them: lists, streams, and a submitter's own."""

from __future__ import annotations

import pytest

from forge_collector.db.errors import TooSlowError
from forge_collector.jobs import store, tasks
from forge_shared import codec
from forge_shared.job_messages import Job, Jobs, JobsFrame, JobStatus, JobSubmission, Workers
from tests.integration.http_api.jobs import Worker, cancel, job, new_id, retry, streaming, submit
from tests.integration.http_api.running import ADMIN, NDJSON, Headers, Server, bearer, until

MONTH_MS = 31 * 24 * 3600 * 1000


async def prune(server: Server) -> None:
    """Let a month pass, and what has ended leave."""
    collector = server.collector
    server.clock.advance(MONTH_MS)
    await tasks.prune(collector.jobs, collector.db, collector.job_files, 30)


async def listed(server: Server, query: str = "", who: Headers = ADMIN) -> list[str]:
    return [each.id for each in (await server.get(f"/api/jobs{query}", who)).as_(Jobs).jobs]


async def test_a_list_comes_in_pages_newest_first(server: Server) -> None:
    job_ids = []
    for _ in range(5):
        job_ids.append(await submit(server))
        server.clock.advance(1000)
    first = (await server.get("/api/jobs?limit=2")).as_(Jobs)
    assert [each.id for each in first.jobs] == [job_ids[4], job_ids[3]]
    second = (await server.get(f"/api/jobs?limit=2&before={first.next}")).as_(Jobs)
    assert [each.id for each in second.jobs] == [job_ids[2], job_ids[1]]
    third = (await server.get(f"/api/jobs?limit=2&before={second.next}")).as_(Jobs)
    assert ([each.id for each in third.jobs], third.next) == ([job_ids[0]], None)


async def test_a_list_can_be_narrowed_down(server: Server) -> None:
    worker = await Worker.of(server)
    running = await submit(server, name="line 3, Monday")
    other = await submit(server, type="other")
    await worker.one()
    assert await listed(server, "?status=running") == [running]
    assert await listed(server, "?status=pending") == [other]
    assert await listed(server, "?type=other") == [other]
    assert await listed(server, "?node=n1") == [running]
    assert await listed(server, "?q=Monday") == [running]
    assert await listed(server, f"?q={other}") == [other]
    assert await listed(server, "?type=nothing") == []


@pytest.mark.parametrize(
    "query",
    [
        "status=done",
        "limit=0",
        "limit=501",
        "limit=x",
        "limit=1e2",
        "limit=-1",
        "before=x",
        "order=age",
        "order=rank",
        "order=rank&status=waiting",
    ],
)
async def test_a_list_that_cannot_be_is_refused(server: Server, query: str) -> None:
    assert (await server.get(f"/api/jobs?{query}")).problem("invalid").errors


@pytest.mark.parametrize("query", ["q=%00", "q=%25", "type=%ff", "node=%F0%9F%98%80"])
async def test_odd_queries_find_nothing(server: Server, query: str) -> None:
    await submit(server)
    assert await listed(server, f"?{query}") == []


# --- a submitter's own ----------------------------------------------------------------------


async def test_a_submitter_sees_its_own_and_nothing_else(server: Server) -> None:
    mine, other = await server.submitter("Ann"), await server.submitter("Ben")
    job_id = await submit(server, mine)
    foreign = await submit(server, other)
    assert await listed(server, "", mine) == [job_id]
    assert await listed(server, f"?q={foreign}", mine) == []
    counts = (await server.get("/api/jobs", mine)).as_(Jobs).counts
    assert counts[JobStatus.PENDING] == 1
    assert (await job(server, job_id, mine)).submitted_by == "Ann"
    for answer in (
        await server.get(f"/api/jobs/{foreign}", mine),
        await cancel(server, foreign, mine),
        await retry(server, foreign, mine),
        await server.get(f"/api/jobs/events?id={foreign}", mine),
    ):
        answer.problem("not_found")
    assert (await cancel(server, job_id, mine)).as_(Job).status is JobStatus.CANCELLED
    assert (await retry(server, job_id, mine)).as_(Job).status is JobStatus.PENDING
    assert len(await listed(server)) == 2
    for path in ("/api/fleet", "/metrics", "/api/tokens"):
        (await server.get(path, mine)).problem("forbidden")


async def test_a_submitter_sees_what_there_is_to_submit_and_no_machine(server: Server) -> None:
    worker = await Worker.of(server)
    await worker.offer(payload_schema={"type": "integer"})
    told = (await server.get("/api/workers", await server.submitter())).as_(Workers)
    assert told.workers == []
    [echo] = told.types
    assert (echo.name, echo.versions, echo.workers) == ("echo", ["1.0"], 1)
    assert codec.encode(echo.payload_schema) == b'{"type":"integer"}'
    seen = (await server.get("/api/workers", await server.viewer())).as_(Workers)
    assert [one.node_id for one in seen.workers] == ["n1"]


async def test_what_a_session_submits_is_its_tokens(server: Server) -> None:
    minted = await server.mint(role="submitter", name="Ann")
    token = bearer(minted.token)
    session = server.with_session(await server.sign_in(secret=minted.token))
    another = server.with_session(await server.sign_in(secret=minted.token))
    job_id = await submit(server, session)
    assert await listed(server, "", token) == await listed(server, "", another) == [job_id]
    assert (await job(server, job_id, another)).submitted_by == "Ann"


async def test_a_retry_does_not_tell_who_has_the_key(server: Server) -> None:
    mine, other = await server.submitter("Ann"), await server.submitter("Ben")
    job_id = await submit(server, mine, dedup_key="k")
    await cancel(server, job_id)
    foreign = await submit(server, other, dedup_key="k")
    refused = (await retry(server, job_id, mine)).problem("job_unfinished")
    assert foreign not in refused.detail


async def test_a_viewer_looks_and_does_not_touch(server: Server) -> None:
    viewer, job_id = await server.viewer(), await submit(server)
    assert await listed(server, "", viewer) == [job_id]
    assert (await job(server, job_id, viewer)).id == job_id
    (await cancel(server, job_id, viewer)).problem("forbidden")
    (await retry(server, job_id, viewer)).problem("forbidden")
    refused = await server.call("POST", "/api/jobs", viewer, json={"type": "echo"})
    refused.problem("forbidden")


# --- streams --------------------------------------------------------------------------------


async def test_the_stream_of_all_jobs(server: Server) -> None:
    worker = await Worker.of(server)
    async with streaming(server) as stream:
        first = await stream.event("jobs", JobsFrame)
        assert (first.reload, first.jobs, first.counts[JobStatus.PENDING]) == (True, [], 0)
        job_id = await submit(server, name="a job")
        frame = await stream.event("jobs", JobsFrame)
        assert [(each.id, each.status) for each in frame.jobs] == [(job_id, "pending")]
        assert frame.counts[JobStatus.PENDING] == 1
        assert frame.jobs[0].waits_because is not None
        held = await worker.one()
        frame = await stream.event("jobs", JobsFrame)
        assert [(each.status, each.node_id) for each in frame.jobs] == [("running", "n1")]
        leases = [{"id": held.id, "lease": held.lease, "progress": {"fraction": 0.25}}]
        await worker.beat(leases=leases)
        frame = await stream.event("jobs", JobsFrame)
        assert frame.jobs[0].progress is not None
        assert frame.jobs[0].progress.fraction == 0.25
        await worker.answer(held)
        frame = await stream.event("jobs", JobsFrame)
        assert (frame.jobs[0].status, frame.counts[JobStatus.SUCCEEDED]) == ("succeeded", 1)


async def test_too_much_to_tell_asks_for_the_list_again(server: Server) -> None:
    async with streaming(server) as stream:
        await stream.event("jobs", JobsFrame)
        for several, is_reload, told, pending in ((100, False, 100, 100), (101, True, 0, 201)):
            headers = {**ADMIN, "Content-Type": NDJSON}
            body = b'{"type": "echo"}\n' * several
            assert (await server.call("POST", "/api/jobs", headers, data=body)).status == 200
            frame = await stream.event("jobs", JobsFrame)
            assert (frame.reload, len(frame.jobs)) == (is_reload, told)
            assert frame.counts[JobStatus.PENDING] == pending


async def test_a_submitters_stream_tells_of_its_own(server: Server) -> None:
    mine = await server.submitter()
    async with streaming(server, mine) as stream:
        first = await stream.event("jobs", JobsFrame)
        assert first.counts[JobStatus.PENDING] == 0
        await submit(server)
        job_id = await submit(server, mine)
        frame = await stream.event("jobs", JobsFrame)
        assert [each.id for each in frame.jobs] == [job_id]
        assert frame.counts[JobStatus.PENDING] == 1


async def test_a_submitters_stream_does_not_tell_what_of_others_is_gone(server: Server) -> None:
    mine = await server.submitter()
    own, foreign = await submit(server, mine), await submit(server)
    for job_id in (own, foreign):
        await cancel(server, job_id)
    async with streaming(server, mine) as stream, streaming(server) as of_all:
        for each in (stream, of_all):
            await each.event("jobs", JobsFrame)
        await prune(server)
        assert (await stream.event("jobs", JobsFrame)).gone == [own]
        assert set((await of_all.event("jobs", JobsFrame)).gone) == {own, foreign}


async def test_counts_stay_right_when_jobs_leave_amid_changes(server: Server) -> None:
    """What is committed and not counted yet must not be counted twice."""
    db, live = server.collector.db, server.collector.jobs
    await cancel(server, await submit(server))
    server.clock.advance(MONTH_MS)
    new = store.Submission(new_id(), JobSubmission("echo"), "me", "Me")
    submitted = await db.write(lambda tx: store.submit(tx, new, live.moment()))
    await prune(server)
    assert submitted.change is not None
    live.note([submitted.change])
    assert dict(live.counts) == await db.read(store.counts)


async def test_what_could_not_be_read_is_told_later(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with streaming(server) as stream:
        await stream.event("jobs", JobsFrame)
        with monkeypatch.context() as broken:
            failures: list[object] = []

            def failing(*_: object) -> None:
                failures.append(None)
                raise TooSlowError

            broken.setattr(store, "summaries", failing)
            job_id = await submit(server)
            await until(lambda: bool(failures))
        frame = await stream.event("jobs", JobsFrame)
        assert [each.id for each in frame.jobs] == [job_id]


async def test_the_stream_of_one_job(server: Server) -> None:
    worker = await Worker.of(server)
    job_id = await submit(server, payload={"secret": "not here"})
    async with streaming(server, job_id=job_id) as stream:
        seen = await stream.event("job", Job)
        assert (seen.status, bytes(seen.payload)) == ("pending", b"null")
        await submit(server, priority=-1)
        held = await worker.one()
        assert (await stream.event("job", Job)).status is JobStatus.RUNNING
        await worker.answer(held, result="large")
        done = await stream.event("job", Job)
        assert (done.status, bytes(done.result)) == ("succeeded", b"null")


async def test_a_stream_of_no_job(server: Server) -> None:
    (await server.get(f"/api/jobs/events?id={new_id()}")).problem("not_found")
    (await server.get("/api/jobs/events?id=x")).problem("not_found")


async def test_a_stream_ends_with_its_token(server: Server) -> None:
    minted = await server.mint(role="submitter", name="Ann")
    async with streaming(server, bearer(minted.token)) as stream:
        await stream.event("jobs", JobsFrame)
        await server.call("DELETE", f"/api/tokens/{minted.id}", ADMIN)
        assert await stream.ended()
    assert len(server.collector.streams) == 0
