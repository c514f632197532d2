"""Claims that wait: what wakes them, and that a job reaches one that can take it."""

from __future__ import annotations

import asyncio
from typing import Any

from forge_shared.job_messages import ClaimedJob, JobStatus
from tests.integration.http_api.jobs import Worker, begun, job, status, submit, waits_for_jobs
from tests.integration.http_api.running import ADMIN, Server, bearer, until

LONG_S = 25


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


async def taken(claim: asyncio.Task[Any]) -> ClaimedJob:
    """Return the job of a claim, which is woken long before its time is up."""
    jobs: list[ClaimedJob] = await asyncio.wait_for(claim, 5)
    return jobs[0]


async def holding_all_it_may(server: Server, node_id: str = "n1") -> tuple[Worker, ClaimedJob]:
    """Return a worker that offers more slots than the collector lets it use, and a job of its."""
    worker = await Worker.of(server, node_id)
    for _ in range(4):
        await submit(server)
    held = await worker.claim(max=10, slots={"cpu": 10})
    assert len(held) == 4
    return worker, held[0]


async def test_a_full_worker_that_waits_keeps_no_job_from_others(server: Server) -> None:
    full, _ = await holding_all_it_may(server)
    other = await Worker.of(server, "n2")
    async with begun(full.claim(wait_s=LONG_S, slots={"cpu": 6})):
        await waits_for_jobs(server, 1)
        async with begun(other.claim(wait_s=LONG_S)) as claim:
            await waits_for_jobs(server, 2)
            job_id = await submit(server)
            assert (await taken(claim)).id == job_id


async def test_a_worker_filled_while_it_waits_passes_the_job_on(server: Server) -> None:
    """It has two claims at a time, and the one that waits is called first."""
    filling, other = await Worker.of(server), await Worker.of(server, "n2")
    async with begun(filling.claim(wait_s=LONG_S, slots={"cpu": 6}, types=["echo", "x"])):
        await waits_for_jobs(server, 1)
        async with begun(other.claim(wait_s=LONG_S, types=["x"])) as claim:
            await waits_for_jobs(server, 2)
            for _ in range(4):
                await submit(server, type="y")
            assert len(await filling.claim(max=10, types=["y"])) == 4
            job_id = await submit(server, type="x")
            assert (await taken(claim)).id == job_id


async def test_a_machine_with_just_too_little_memory_keeps_no_job_from_others(
    server: Server,
) -> None:
    """What a job requires is rounded up: it has room for what was named, and not for that."""
    named, rounded = 1000 * 2**20, 1024 * 2**20
    small, large = await Worker.of(server), await Worker.of(server, "n2")
    for node_id, worker, memory_bytes in (("n1", small, rounded - 1), ("n2", large, rounded)):
        host = {"platform": "linux", "cpu_cores": 2, "mem_total_bytes": memory_bytes}
        await server.push(worker.token, node_id=node_id, host=host)
    async with begun(small.claim(wait_s=LONG_S)):
        await waits_for_jobs(server, 1)
        async with begun(large.claim(wait_s=LONG_S)) as claim:
            await waits_for_jobs(server, 2)
            job_id = await submit(server, requires={"memory_bytes": named})
            assert (await taken(claim)).id == job_id


async def test_a_full_worker_looks_again_when_a_job_of_its_own_ends(server: Server) -> None:
    full, held = await holding_all_it_may(server)
    job_id = await submit(server)
    async with begun(full.claim(wait_s=LONG_S, slots={"cpu": 6})) as claim:
        await waits_for_jobs(server, 1)
        await full.answer(held)
        assert (await taken(claim)).id == job_id


async def test_a_claim_that_is_spent_keeps_no_job_from_others(server: Server) -> None:
    """What it brought has ended, and it brings nothing any more."""
    worker, other = await Worker.of(server), await Worker.of(server, "n2")
    await submit(server)
    claim_id = "0190b8a4-7a5f-4c3e-9d21-5e0b6a7c8d90"
    await worker.answer(await worker.one(claim_id=claim_id))
    async with begun(worker.claim(wait_s=LONG_S, claim_id=claim_id)):
        await waits_for_jobs(server, 1)
        async with begun(other.claim(wait_s=LONG_S)) as claim:
            await waits_for_jobs(server, 2)
            job_id = await submit(server)
            assert (await taken(claim)).id == job_id


async def test_a_slot_of_the_fleet_reaches_who_has_a_job_for_it(server: Server) -> None:
    """Others have slots of that class as well, and have waited for longer."""
    talking = await Worker.of(server)
    jobs = [await submit(server, type="talk", resource_class="llm") for _ in range(2)]
    held = await talking.one(types=["talk"])
    idle = [await Worker.of(server, node_id) for node_id in ("n2", "n3")]
    next_one = await Worker.of(server, "n4")
    async with begun(idle[0].claim(wait_s=LONG_S)), begun(idle[1].claim(wait_s=LONG_S)):
        await waits_for_jobs(server, 2)
        async with begun(next_one.claim(wait_s=LONG_S, types=["talk"])) as claim:
            await waits_for_jobs(server, 3)
            await talking.answer(held)
            assert {held.id, (await taken(claim)).id} == set(jobs)
            await waits_for_jobs(server, 2)


async def test_a_worker_waits_once(server: Server) -> None:
    """The answer to the claim before would perhaps reach nobody: its connection may have broken
    without a word."""
    worker = await Worker.of(server)
    async with begun(worker.claim(wait_s=LONG_S)) as before:
        await waits_for_jobs(server, 1)
        async with begun(worker.claim(wait_s=LONG_S)) as claim:
            assert await asyncio.wait_for(before, 5) == []
            job_id = await submit(server)
            assert (await taken(claim)).id == job_id


async def test_a_worker_whose_place_another_has_taken_is_given_nothing(server: Server) -> None:
    """Its machine lost power, and its connection is open still."""
    gone = await Worker.of(server)
    another = Worker(server, gone.token)
    async with begun(gone.claim(wait_s=LONG_S)) as before:
        await waits_for_jobs(server, 1)
        await another.beat(succeeds=gone.id)
        assert await asyncio.wait_for(before, 5) == []
    job_id = await submit(server)
    assert (await another.one()).id == job_id


async def test_a_worker_that_says_its_last_is_given_nothing(server: Server) -> None:
    worker = await Worker.of(server)
    async with begun(worker.claim(wait_s=LONG_S)) as before:
        await waits_for_jobs(server, 1)
        await worker.beat(state="draining", last=True)
        assert await asyncio.wait_for(before, 5) == []
