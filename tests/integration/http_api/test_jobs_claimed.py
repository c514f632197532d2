"""Claims: which jobs they take, in which order, and how many."""

from __future__ import annotations

import asyncio

from forge_shared.job_messages import MAX_INLINE_BYTES, ClaimedJobs, Jobs, JobStatus
from tests.integration.http_api.jobs import Worker, job, new_id, submit
from tests.integration.http_api.running import Server

MINUTE_MS = 60_000


async def test_the_same_claim_has_the_same_leases(server: Server) -> None:
    worker = await Worker.of(server)
    await submit(server)
    await submit(server)
    claim_id = new_id()
    first = await worker.ask(claim_id=claim_id)
    again = await worker.ask(claim_id=claim_id)
    assert first.as_(ClaimedJobs) == again.as_(ClaimedJobs)
    assert (await server.get("/api/jobs")).as_(Jobs).counts[JobStatus.RUNNING] == 1


async def test_a_claim_by_its_address(server: Server) -> None:
    worker = await Worker.of(server)
    job_id = await submit(server, resource_class="io")
    path = f"/api/jobs/claim?worker_id={worker.id}&types=other,echo&slots=io=1&max=5&wait_s=1"
    (held,) = (await server.get(path, worker.token)).as_(ClaimedJobs).jobs
    assert held.id == job_id
    assert (await server.get(path.replace("&wait_s=1", ""), worker.token)).status == 204
    for bad in ("max=x", "types=A!", "types=a&slots=gpu=1", "types=a&slots=io", "wait_s=31"):
        refused = await server.get(f"/api/jobs/claim?worker_id={worker.id}&{bad}", worker.token)
        assert refused.problem("invalid").errors


async def test_a_claim_that_found_nothing_is_empty(server: Server) -> None:
    worker = await Worker.of(server)
    assert (await worker.ask()).status == 204
    assert (await worker.ask(wait_s=1)).status == 204


async def test_several_jobs_and_results_in_one_claim(server: Server) -> None:
    worker = await Worker.of(server)
    for _ in range(5):
        await submit(server, resource_class="io")
    held = await worker.claim(max=3)
    assert len(held) == 3
    results = [
        {"id": held[0].id, "lease": held[0].lease, "status": "succeeded", "result": 1},
        {"id": held[1].id, "lease": "stale", "status": "succeeded"},
        {
            "id": held[2].id,
            "lease": held[2].lease,
            "status": "succeeded",
            "result": "x" * MAX_INLINE_BYTES,
        },
    ]
    answer = (await worker.ask(max=8, results=results)).as_(ClaimedJobs)
    assert [each.id for each in answer.settled] == [held[0].id]
    assert [(each.id, each.code) for each in answer.refused] == [
        (held[1].id, "stale_lease"),
        (held[2].id, "too_large"),
    ]
    assert len(answer.jobs) == 2


async def test_results_are_answered_at_once_though_there_is_no_job(server: Server) -> None:
    worker = await Worker.of(server)
    await submit(server)
    held = await worker.one()
    result = {"id": held.id, "lease": held.lease, "status": "succeeded"}
    async with asyncio.timeout(5):
        answer = (await worker.ask(wait_s=30, results=[result])).as_(ClaimedJobs)
    assert (answer.jobs, len(answer.settled)) == ([], 1)


async def test_the_more_urgent_goes_first_and_age_counts(server: Server) -> None:
    worker = await Worker.of(server)
    old = await submit(server)
    server.clock.advance(5 * MINUTE_MS)
    urgent = await submit(server, priority=10)
    usual = await submit(server)
    lower = await submit(server, priority=-1)
    order = [urgent, old, usual, lower]
    first = (await server.get("/api/jobs?status=pending&order=rank&limit=3")).as_(Jobs)
    further = f"/api/jobs?status=pending&order=rank&before={first.next}"
    rest = (await server.get(further)).as_(Jobs)
    assert [each.id for each in first.jobs + rest.jobs] == order
    held = await worker.claim(max=4)
    assert [each.id for each in held] == order


async def test_slots_bound_what_is_leased(server: Server) -> None:
    worker = await Worker.of(server)
    for _ in range(6):
        await submit(server, resource_class="cpu")
    assert len(await worker.claim(max=10, slots={"cpu": 2})) == 2
    assert len(await worker.claim(max=10, slots={"cpu": 10})) == 2  # four a worker
    assert len(await (await Worker.of(server, "n2")).claim(max=10)) == 2


async def test_what_nobody_can_take_says_why(server: Server) -> None:
    worker = await Worker.of(server)
    await server.push(
        worker.token, host={"platform": "linux", "cpu_cores": 2, "mem_total_bytes": 2**30}
    )
    unknown = await submit(server, type="unheard-of")
    large = await submit(server, requires={"cores": 64})
    await worker.claim()
    for job_id, word in ((unknown, "unheard-of"), (large, "cores")):
        because = (await job(server, job_id)).waits_because
        assert because is not None
        assert word in because
