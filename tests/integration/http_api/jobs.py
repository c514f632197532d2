"""Submitters, workers and watchers of jobs, over HTTP."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
import msgspec

from forge_collector.jobs import tasks
from forge_shared.job_messages import (
    ClaimedJob,
    ClaimedJobs,
    HeartbeatReply,
    Job,
    JobStatus,
    SubmittedJob,
)
from tests.integration.http_api.running import ADMIN, PATIENCE_S, Answer, Headers, Server, until

T = TypeVar("T")


def new_id() -> str:
    return str(uuid.uuid4())


async def submit(server: Server, who: Headers = ADMIN, **wanted: Any) -> str:
    """Submit a job that is new, and return its id."""
    answer = await server.call("POST", "/api/jobs", who, json={"type": "echo", **wanted})
    assert answer.status == 201, answer.body
    return answer.as_(SubmittedJob).id


async def job(server: Server, job_id: str, who: Headers = ADMIN) -> Job:
    return (await server.get(f"/api/jobs/{job_id}", who)).as_(Job)


async def status(server: Server, job_id: str) -> JobStatus:
    return (await job(server, job_id)).status


async def cancel(server: Server, job_id: str, who: Headers = ADMIN) -> Answer:
    return await server.call("POST", f"/api/jobs/{job_id}/cancel", who)


async def retry(server: Server, job_id: str, who: Headers = ADMIN) -> Answer:
    return await server.call("POST", f"/api/jobs/{job_id}/retry", who)


async def sweep(server: Server) -> None:
    await tasks.sweep(server.collector.jobs, server.collector.db)


class Worker:
    """One start of a worker."""

    def __init__(self, server: Server, token: Headers, node_id: str = "n1") -> None:
        self._server = server
        self.token = token
        self.id = f"{node_id}.{uuid.uuid4().hex[:8]}"

    @classmethod
    async def of(cls, server: Server, node_id: str = "n1") -> Worker:
        return cls(server, await server.node(node_id), node_id)

    async def ask(self, **wanted: Any) -> Answer:
        """Claim, as it is told to."""
        claim = {"worker_id": self.id, "types": ["echo"], **wanted}
        return await self._server.call("POST", "/api/jobs/claim", self.token, json=claim)

    async def claim(self, **wanted: Any) -> list[ClaimedJob]:
        answer = await self.ask(**wanted)
        if answer.status == 204:
            assert answer.body == b""
            return []
        return answer.as_(ClaimedJobs).jobs

    async def one(self, **wanted: Any) -> ClaimedJob:
        (claimed,) = await self.claim(**wanted)
        return claimed

    async def answer(self, held: ClaimedJob, status: str = "succeeded", **told: Any) -> Answer:
        """Send a result."""
        result = {"lease": held.lease, "status": status, **told}
        return await self._server.call(
            "POST", f"/api/jobs/{held.id}/result", self.token, json=result
        )

    async def beat(self, *held: ClaimedJob, **told: Any) -> HeartbeatReply:
        leases = [{"id": each.id, "lease": each.lease} for each in held]
        answer = await self.heartbeat(**{"leases": leases, **told})
        return answer.as_(HeartbeatReply)

    async def heartbeat(self, **told: Any) -> Answer:
        path = f"/api/workers/{self.id}/heartbeat"
        return await self._server.call("POST", path, self.token, json=told)

    async def offer(self, **plugin: Any) -> None:
        """Register the plugin echo, but for the changes."""
        offered = {"name": "echo", "version": "1.0", "resource_class": "io", **plugin}
        await self.beat(plugins=[offered])


async def waits_for_jobs(server: Server, claims: int = 1) -> None:
    """Wait until so many claims wait."""
    await until(lambda: server.collector.jobs.count_waiting() == claims)


@asynccontextmanager
async def begun(work: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """Run a coroutine beside the block, which is to await it."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        if not task.done():
            task.cancel()


class Stream:
    """An open stream of jobs."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def event(self, name: str, message: type[T]) -> T:
        """Return the next event, which has this name."""
        async with asyncio.timeout(PATIENCE_S):
            found = ""
            while line := await self._response.content.readline():
                field, _, value = line.decode().rstrip("\r\n").partition(": ")
                if field == "event":
                    found = value
                elif field == "data":
                    assert found == name
                    return msgspec.json.decode(value, type=message)
            raise EOFError

    async def ended(self) -> bool:
        async with asyncio.timeout(PATIENCE_S):
            try:
                while await self._response.content.readline():
                    pass
            except aiohttp.ClientPayloadError:
                return True
            return True


@asynccontextmanager
async def streaming(
    server: Server, who: Headers = ADMIN, job_id: str | None = None
) -> AsyncIterator[Stream]:
    path = "/api/jobs/events" + (f"?id={job_id}" if job_id else "")
    timeout = aiohttp.ClientTimeout(total=None)
    async with server.session.get(
        server.url + path, headers=who, timeout=timeout, read_bufsize=2**20
    ) as response:
        assert response.status == 200, await response.read()
        yield Stream(response)
