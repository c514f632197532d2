"""How jobs end: by a result, too many failures, a cancel or their deadline."""

from __future__ import annotations

import asyncio

from forge_collector.jobs import rules
from forge_shared.job_messages import MAX_INLINE_BYTES, Job, JobStatus, ResultReply
from tests.integration.http_api.jobs import Worker, begun, cancel, job, retry, submit, sweep
from tests.integration.http_api.running import Server, until

MINUTE_MS = 60_000


async def test_a_result_is_accepted_once(server: Server) -> None:
    worker = await Worker.of(server)
    job_id = await submit(server)
    held = await worker.one()
    first = await worker.answer(held, result=1)
    again = await worker.answer(held, result=1)
    assert first.status == again.status == 200
    assert first.body == again.body
    (await worker.answer(held, result=2)).problem("stale_lease")
    (await worker.answer(held, "failed", error={"code": "x"})).problem("stale_lease")
    assert bytes((await job(server, job_id)).result) == b"1"


async def test_a_lease_that_ended_changes_nothing(server: Server) -> None:
    worker, other = await Worker.of(server), await Worker.of(server, "n2")
    job_id = await submit(server)
    late = await worker.one()
    await worker.beat(late)
    server.clock.advance(rules.LEASE_TTL_MS + 1)
    await sweep(server)
    held = await other.one()
    assert (held.id, held.attempt) == (job_id, 2)
    (await worker.answer(late, result="late")).problem("stale_lease")
    assert (await worker.beat(late)).lost == [job_id]
    await other.answer(held, result="in time")
    done = await job(server, job_id)
    assert bytes(done.result) == b'"in time"'
    assert [each.outcome for each in done.attempts] == ["lost", "succeeded"]


async def test_three_failures_are_for_review_and_can_be_retried(server: Server) -> None:
    worker = await Worker.of(server)
    job_id = await submit(server)
    for number in range(1, 4):
        held = await worker.one()
        assert held.attempt == number
        await worker.answer(held, "failed", error={"code": "crash"}, log_tail=f"fall {number}")
        server.clock.advance(rules.MOST_BACKOFF_MS)
        await sweep(server)
    failed = await job(server, job_id)
    assert (failed.status, failed.error and failed.error.code) == ("failed", "crash")
    assert [each.log_tail for each in failed.attempts] == ["fall 1", "fall 2", "fall 3"]
    (await cancel(server, job_id)).problem("job_finished")
    assert (await retry(server, job_id)).as_(Job).status is JobStatus.PENDING
    (await retry(server, job_id)).problem("job_unfinished")
    assert (await worker.one()).attempt == 1


async def test_a_result_too_large_for_a_message_is_refused(server: Server) -> None:
    worker = await Worker.of(server)
    await submit(server)
    held = await worker.one()
    (await worker.answer(held, result="x" * MAX_INLINE_BYTES)).problem("too_large")
    assert (await worker.answer(held, result="x")).status == 200


async def test_a_waiting_heartbeat_hears_of_a_cancel(server: Server) -> None:
    worker = await Worker.of(server)
    job_id = await submit(server)
    held = await worker.one()
    async with begun(worker.beat(held, wait_s=30)) as beating:
        await until(lambda: server.collector.jobs.is_heard(worker.id))
        assert (await cancel(server, job_id)).as_(Job).cancel_requested
        reply = await asyncio.wait_for(beating, 5)
    assert (reply.renewed, reply.cancel) == ([job_id], [job_id])
    answer = await worker.answer(held, "yielded")
    assert answer.as_(ResultReply).status is JobStatus.CANCELLED
    done = await job(server, job_id)
    assert (done.status, done.attempts[0].outcome) == ("cancelled", "cancelled")


async def test_the_next_heartbeat_hears_of_a_cancel(server: Server) -> None:
    worker = await Worker.of(server)
    job_id = await submit(server)
    held = await worker.one()
    await cancel(server, job_id)
    async with asyncio.timeout(5):
        assert (await worker.beat(held, wait_s=30)).cancel == [job_id]


async def test_a_job_that_does_not_run_is_cancelled_at_once(server: Server) -> None:
    job_id = await submit(server, delay_s=60)
    assert (await cancel(server, job_id)).as_(Job).status is JobStatus.CANCELLED
    assert (await cancel(server, job_id)).as_(Job).status is JobStatus.CANCELLED
    assert (await retry(server, job_id)).as_(Job).status is JobStatus.PENDING


async def test_a_deadline_that_passes_ends_a_job(server: Server) -> None:
    job_id = await submit(server, deadline=server.clock.now_ms() + MINUTE_MS)
    server.clock.advance(MINUTE_MS + 1)
    await sweep(server)
    failed = await job(server, job_id)
    assert (failed.status, failed.error and failed.error.code) == ("failed", "deadline_passed")
