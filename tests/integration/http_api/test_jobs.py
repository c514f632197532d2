"""The life of a job over HTTP."""

from __future__ import annotations

import asyncio

from forge_collector.http.problems import KINDS
from forge_collector.jobs import rules
from forge_shared.job_messages import (
    AttemptOutcome,
    Jobs,
    JobStatus,
    ResourceClass,
    ResultReply,
    ResultStatus,
)
from tests.integration.http_api.jobs import (
    Worker,
    begun,
    cancel,
    job,
    new_id,
    retry,
    status,
    submit,
    sweep,
    waits_for_jobs,
)
from tests.integration.http_api.running import Server

MINUTE_MS = 60_000


async def test_a_job_from_beginning_to_end(server: Server) -> None:
    worker = await Worker.of(server)
    await worker.offer(title="Echo")
    job_id = await submit(server, payload={"say": "hello"}, name="a greeting", priority=3)
    waiting = await job(server, job_id)
    assert (waiting.status, waiting.attempt_count) == (JobStatus.PENDING, 0)
    assert (waiting.submitted_by, waiting.resource_class) == ("admin", ResourceClass.IO)
    held = await worker.one(types=["echo@1.0"])
    assert (held.id, held.type, held.attempt, held.name) == (job_id, "echo", 1, "a greeting")
    assert bytes(held.payload) == b'{"say":"hello"}'
    running = await job(server, job_id)
    assert (running.status, running.claimed_by, running.node_id) == ("running", worker.id, "n1")
    progress = {"fraction": 0.5, "objective": 60, "bound": 55, "gap": 0.09}
    leases = [
        {
            "id": job_id,
            "lease": held.lease,
            "progress": progress,
            "incumbents": [{"at": server.clock.now_ms(), "objective": 60, "bound": 55}],
        }
    ]
    assert (await worker.beat(leases=leases)).renewed == [job_id]
    seen = await job(server, job_id)
    assert seen.progress is not None
    assert (seen.progress.fraction, seen.incumbents[0].objective) == (0.5, 60)
    reply = (await worker.answer(held, result={"said": "hello"}, log_tail="well")).as_(ResultReply)
    assert (reply.status, reply.attempt_count) == (JobStatus.SUCCEEDED, 1)
    done = await job(server, job_id)
    assert (done.status, bytes(done.result)) == ("succeeded", b'{"said":"hello"}')
    (attempt,) = done.attempts
    assert (attempt.outcome, attempt.log_tail) == (AttemptOutcome.SUCCEEDED, "well")


async def test_the_queue_refuses_in_terms_of_problems() -> None:
    assert {code: KINDS[code].status for code in rules.REFUSALS} == dict(rules.REFUSALS)


async def test_jobs_that_are_not_there(server: Server) -> None:
    for job_id in (new_id(), "unknown", "%00", "..%2f..", "%ff"):
        (await server.get(f"/api/jobs/{job_id}")).problem("not_found")
        (await cancel(server, job_id)).problem("not_found")
        (await retry(server, job_id)).problem("not_found")
    worker = await Worker.of(server)
    result = {"lease": "x", "status": ResultStatus.SUCCEEDED}
    path = f"/api/jobs/{new_id()}/result"
    (await server.call("POST", path, worker.token, json=result)).problem("stale_lease")


async def test_a_delayed_job_starts_when_its_time_comes(server: Server) -> None:
    worker = await Worker.of(server)
    job_id = await submit(server, delay_s=60)
    assert await status(server, job_id) is JobStatus.WAITING
    async with begun(worker.one(wait_s=30)) as claiming:
        await waits_for_jobs(server)
        await sweep(server)
        assert not claiming.done()
        server.clock.advance(MINUTE_MS)
        await sweep(server)
        assert (await asyncio.wait_for(claiming, 5)).id == job_id


async def test_the_counts_follow(server: Server) -> None:
    worker = await Worker.of(server)
    for _ in range(4):
        await submit(server)
    await submit(server, delay_s=60)
    held = await worker.claim(max=3)
    await worker.answer(held[0])
    await worker.answer(held[1], "failed", error={"code": "x", "retryable": False})
    counts = (await server.get("/api/jobs")).as_(Jobs).counts
    assert counts == {
        "waiting": 1,
        "pending": 1,
        "running": 1,
        "succeeded": 1,
        "failed": 1,
        "cancelled": 0,
    }
    metrics = (await server.get("/metrics")).body.decode()
    assert 'forge_jobs{status="pending"} 1.0' in metrics
    assert 'forge_job_attempts_total{outcome="succeeded"} 1.0' in metrics
    assert 'forge_job_attempts_total{outcome="failed"} 1.0' in metrics
