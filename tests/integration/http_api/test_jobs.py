"""The life of a job over HTTP, and who may have a part in it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from forge_collector.db import StorageFullError, Tx
from forge_collector.events import NodeForgotten
from forge_collector.http.problems import KINDS
from forge_collector.jobs import rules, store, tasks
from forge_shared.job_messages import (
    MAX_INLINE_BYTES,
    AttemptOutcome,
    ClaimedJobs,
    Job,
    Jobs,
    JobStatus,
    ResourceClass,
    ResultReply,
    ResultStatus,
    SubmittedJob,
    Workers,
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
from tests.integration.http_api.running import ADMIN, Server, bearer, until

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


# --- submitting -----------------------------------------------------------------------------


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


@pytest.mark.parametrize("payload", [b'"\xff"', b"1e999", b"[" * 900 + b"]" * 900])
async def test_a_payload_that_nobody_could_read_is_refused(server: Server, payload: bytes) -> None:
    body = b'{"type": "echo", "payload": %b}' % payload
    headers = {**ADMIN, "Content-Type": "application/json"}
    answer = await server.call("POST", "/api/jobs", headers, data=body)
    assert answer.status in {201, 400, 422}
    for found in (await server.get("/api/jobs")).as_(Jobs).jobs:
        assert msgspec.json.decode((await server.get(f"/api/jobs/{found.id}")).body)


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


async def test_workers_of_a_node_are_forgotten_once_the_store_can(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await Worker.of(server)).offer()
    live, db = server.collector.jobs, server.collector.db
    live.forget_node(NodeForgotten("n1"))
    with monkeypatch.context() as full_disk:

        def refuse(_tx: Tx, _node_id: str) -> None:
            raise StorageFullError("no space left")

        full_disk.setattr(store, "forget_node", refuse)
        with pytest.raises(StorageFullError):
            await tasks.forget_nodes(live, db)
    assert await tasks.forget_nodes(live, db)
    assert (await server.get("/api/workers")).as_(Workers).workers == []


# --- waiting for jobs -----------------------------------------------------------------------


async def test_a_waiting_claim_is_woken_by_a_submission(server: Server) -> None:
    worker = await Worker.of(server)
    async with begun(worker.one(wait_s=30)) as claiming:
        await waits_for_jobs(server)
        job_id = await submit(server)
        assert (await asyncio.wait_for(claiming, 5)).id == job_id
    assert server.collector.jobs.count_waiting() == 0


async def test_a_submission_and_the_claim_it_wakes_are_one_commit(server: Server) -> None:
    worker = await Worker.of(server)
    await submit(server, priority=-1, requires={"node": "n2"})  # its type and machine are known
    async with begun(worker.one(wait_s=30)) as claiming:
        await waits_for_jobs(server)
        commits: list[int] = []
        server.collector.db._observe_batch = lambda units, _seconds: commits.append(units)
        await submit(server)
        await asyncio.wait_for(claiming, 5)
    await until(lambda: sum(commits) >= 2)
    assert 2 in commits


async def test_one_job_wakes_one_claim_and_the_first(server: Server) -> None:
    workers = [await Worker.of(server, f"n{number}") for number in range(3)]
    claims = []
    for number, worker in enumerate(workers):
        claims.append(asyncio.ensure_future(worker.claim(wait_s=2)))
        await waits_for_jobs(server, number + 1)
    job_ids = [await submit(server), await submit(server)]
    claimed = await asyncio.gather(*claims)
    assert [[each.id for each in jobs] for jobs in claimed] == [[job_ids[0]], [job_ids[1]], []]


async def test_a_claim_wakes_for_what_it_can_take_alone(server: Server) -> None:
    worker = await Worker.of(server)
    async with begun(worker.one(types=["other"], slots={"io": 1}, wait_s=30)) as claiming:
        await waits_for_jobs(server)
        await submit(server)
        await submit(server, type="other", resource_class="llm")
        await submit(server, type="other", resource_class="io", requires={"node": "n2"})
        fitting = await submit(server, type="other", resource_class="io")
        assert (await asyncio.wait_for(claiming, 5)).id == fitting


async def test_what_is_given_back_wakes_a_claim(server: Server) -> None:
    worker, other = await Worker.of(server), await Worker.of(server, "n2")
    job_id = await submit(server)
    held = await worker.one()
    async with begun(other.one(wait_s=30)) as claiming:
        await waits_for_jobs(server)
        await worker.answer(held, "yielded", checkpoint={"step": 7})
        again = await asyncio.wait_for(claiming, 5)
    assert (again.id, again.attempt, bytes(again.checkpoint or b"")) == (job_id, 1, b'{"step":7}')


async def test_a_claim_that_found_nothing_is_empty(server: Server) -> None:
    worker = await Worker.of(server)
    assert (await worker.ask()).status == 204
    assert (await worker.ask(wait_s=1)).status == 204


async def test_a_stop_lets_waiting_claims_and_heartbeats_go(server: Server) -> None:
    worker = await Worker.of(server)
    async with begun(worker.ask(wait_s=30)) as claiming, begun(worker.beat(wait_s=30)) as beating:
        await waits_for_jobs(server)
        await until(lambda: server.collector.jobs.is_heard(worker.id))
        async with asyncio.timeout(3):
            await server.stop()
            assert (await claiming).status == 204
            assert (await beating).cancel == []


async def test_a_claim_whose_client_left_takes_nothing(server: Server) -> None:
    worker, other = await Worker.of(server), await Worker.of(server, "n2")
    claiming = asyncio.ensure_future(worker.claim(wait_s=30))
    await waits_for_jobs(server)
    (seat,) = server.collector.jobs.waiting._idle
    claiming.cancel()
    await asyncio.wait([claiming])
    await until(lambda: not seat.is_there())
    job_id = await submit(server)
    assert (await other.one()).id == job_id
    assert server.collector.jobs.count_waiting() == 0


async def test_a_revoked_token_gets_no_job_it_waited_for(server: Server) -> None:
    minted = await server.mint(node_id="n1")
    worker = Worker(server, bearer(minted.token))
    async with begun(worker.ask(wait_s=2)) as claiming:
        await waits_for_jobs(server)
        await server.call("DELETE", f"/api/tokens/{minted.id}", ADMIN)
        job_id = await submit(server)
        assert (await claiming).status == 204
    assert await status(server, job_id) is JobStatus.PENDING


async def test_a_freed_slot_of_the_fleet_wakes_a_claim(server: Server) -> None:
    worker, other = await Worker.of(server), await Worker.of(server, "n2")
    await submit(server, resource_class="llm")
    held = await worker.one()
    second = await submit(server, resource_class="llm")
    async with begun(other.one(wait_s=30)) as claiming:
        await waits_for_jobs(server)
        because = (await job(server, second)).waits_because
        assert because is not None
        assert "llm" in because
        await worker.answer(held)
        assert (await asyncio.wait_for(claiming, 5)).id == second


# --- claiming -------------------------------------------------------------------------------


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


async def test_a_worker_is_one_machines_alone(server: Server) -> None:
    worker = await Worker.of(server)
    await worker.claim()
    await submit(server)
    thief = Worker(server, await server.node("n2"), "n2")
    thief.id = worker.id
    (await thief.ask()).problem("foreign_worker")
    (await thief.ask(wait_s=5)).problem("foreign_worker")
    (await thief.heartbeat()).problem("foreign_worker")
    held = await worker.one()
    own = await Worker.of(server, "n2")
    (await own.answer(held)).problem("stale_lease")
    assert (await own.beat(held)).lost == [held.id]
    assert (await worker.beat(held)).renewed == [held.id]


# --- results --------------------------------------------------------------------------------


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


# --- cancelling -----------------------------------------------------------------------------


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


async def test_jobs_that_are_not_there(server: Server) -> None:
    for job_id in (new_id(), "unknown", "%00", "..%2f..", "%ff"):
        (await server.get(f"/api/jobs/{job_id}")).problem("not_found")
        (await cancel(server, job_id)).problem("not_found")
        (await retry(server, job_id)).problem("not_found")
    worker = await Worker.of(server)
    result = {"lease": "x", "status": ResultStatus.SUCCEEDED}
    path = f"/api/jobs/{new_id()}/result"
    (await server.call("POST", path, worker.token, json=result)).problem("stale_lease")


# --- time -----------------------------------------------------------------------------------


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


async def test_a_deadline_that_passes_ends_a_job(server: Server) -> None:
    job_id = await submit(server, deadline=server.clock.now_ms() + MINUTE_MS)
    server.clock.advance(MINUTE_MS + 1)
    await sweep(server)
    failed = await job(server, job_id)
    assert (failed.status, failed.error and failed.error.code) == ("failed", "deadline_passed")


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


async def test_workers_and_what_they_offer(server: Server) -> None:
    worker = await Worker.of(server)
    await worker.offer(title="Echo", payload_schema={"type": "integer"})
    await submit(server, payload=1)
    held = await worker.one()
    await worker.beat(held, state="paused", reason="on battery", slots={"io": 2})
    told = (await server.get("/api/workers")).as_(Workers)
    (found,) = told.workers
    assert (found.id, found.node_id, found.state, found.reason) == (
        worker.id,
        "n1",
        "paused",
        "on battery",
    )
    assert (found.running, found.slots) == ([held.id], {"io": 2})
    (known,) = told.types
    assert (known.name, known.title, known.versions) == ("echo", "Echo", ["1.0"])
    await sweep(server)
    assert 'forge_workers{state="paused"} 1.0' in (await server.get("/metrics")).body.decode()


async def test_a_machines_card_shows_how_many_jobs_it_has(server: Server) -> None:
    worker = await Worker.of(server)
    await server.push(worker.token)
    await submit(server)
    held = await worker.one()
    server.collector.jobs.tell_loads()
    assert server.collector.live._nodes["n1"].jobs == 1
    await worker.answer(held)
    server.collector.jobs.tell_loads()
    assert server.collector.live._nodes["n1"].jobs == 0
