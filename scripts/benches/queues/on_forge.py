"""Our collector under measurement, by a client of the bench: no agent, no child process.

A worker asks over one connection: each request brings the results of the jobs it was given, and
takes as many new ones as it has slots. As agents do, it names each claim, so that the answer can be
asked for again.
"""

from __future__ import annotations

import secrets
import time
from typing import Final

import msgspec

from forge_shared import codec, identity
from forge_shared.job_messages import (
    LONGEST_WAIT_S,
    ClaimedJobs,
    ClaimRequest,
    JobSubmission,
    ResourceClass,
    ResultStatus,
    SettledJob,
)
from scripts.benches.queues import measuring
from scripts.benches.queues.measuring import Span, Wanted
from scripts.benches.queues.wire import Connection, Request, connected, drive

NODE: Final = "bench"
_SUBMIT: Final = "/api/jobs"
_CLAIM: Final = "/api/jobs/claim"
_NONE_REFUSED: Final = b'"refused":[]}'
_FILLING: Final = 64
_ENDLESS_S: Final = 600.0
_CLAIMED: Final = msgspec.json.Decoder(ClaimedJobs)


class Forge:
    """``store``: the collector's url, a node's token and a submitter's."""

    def __init__(self, wanted: Wanted) -> None:
        self._type = wanted.queue
        self._url: str = wanted.store["url"]
        self._node_token: str = wanted.store["node_token"]
        self._submitter_token: str = wanted.store["submitter_token"]
        self._one_slot = wanted.one_slot
        self._together = wanted.together
        self._sender: Connection | None = None

    def submit(self, count: int, concurrency: int, seconds: float) -> Span:
        line = _submission(self._type, 0)
        at_once = concurrency if self._together else 1
        begun = 0
        began = time.monotonic()

        def follow(_number: int, reply: bytes) -> Request | None:
            nonlocal begun
            if self._together and reply and not reply.endswith(_NONE_REFUSED):
                raise RuntimeError(f"a line was refused: {reply[-300:]!r}")
            if begun >= count or time.monotonic() - began > seconds:
                return None
            lines = min(at_once, count - begun)
            begun += lines
            if self._together:
                return Request(_SUBMIT, b"\n".join([line] * lines), codec.NDJSON)
            return Request(_SUBMIT, line)

        connections_wanted = 1 if self._together else concurrency
        with connected(self._url, self._submitter_token, connections_wanted) as connections:
            drive(connections, follow)
        return Span(begun, time.monotonic() - began)

    def fill(self, count: int) -> None:
        self.submit(count, _FILLING, _ENDLESS_S)

    def work(self, count: int, concurrency: int, seconds: float) -> Span:
        workers = [
            _Worker(self._type, 1 if self._one_slot else concurrency)
            for _ in range(concurrency if self._one_slot else 1)
        ]
        done = 0
        began = time.monotonic()

        def follow(number: int, reply: bytes) -> Request | None:
            nonlocal done
            given = _CLAIMED.decode(reply) if reply else None
            if given is not None:
                done += len(given.settled)
                if not given.jobs or time.monotonic() - began > seconds:
                    return None
            elif done >= count:
                return None
            return workers[number].claim(given)

        with connected(self._url, self._node_token, len(workers)) as connections:
            drive(connections, follow)
        return Span(done, time.monotonic() - began)

    def start(self, count: int) -> list[float]:
        late: list[float] = []
        worker = _Worker(self._type, 1)
        with connected(self._url, self._node_token, 1) as (connection,):
            print(measuring.READY, flush=True)
            given: ClaimedJobs | None = None
            while len(late) < count:
                reply = connection.ask(worker.claim(given, LONGEST_WAIT_S))
                given = _CLAIMED.decode(reply) if reply else None
                for job in given.jobs if given is not None else ():
                    submitted_at: float = msgspec.json.decode(job.payload)["at"]
                    late.append((time.monotonic() - submitted_at) * 1000)
            connection.ask(worker.claim(given))
        return late

    def send(self) -> None:
        if self._sender is None:
            self._sender = Connection(self._url, self._submitter_token)
        self._sender.ask(Request(_SUBMIT, _submission(self._type, time.monotonic())))


class _Worker:
    """What a worker of so many slots asks."""

    def __init__(self, type_: str, slots: int) -> None:
        self._id = f"{NODE}.{secrets.token_hex(4)}"
        self._type = type_
        self._slots = slots

    def claim(self, given: ClaimedJobs | None, wait_s: int = 0) -> Request:
        """Give the results of what was given, which took no time, and claim anew."""
        jobs = [] if given is None else given.jobs
        wanted = ClaimRequest(
            self._id,
            [self._type],
            claim_id=identity.uuid7(int(time.time() * 1000)),
            slots={ResourceClass.CPU: self._slots},
            max=self._slots,
            wait_s=wait_s,
            results=[
                SettledJob(id=job.id, lease=job.lease, status=ResultStatus.SUCCEEDED)
                for job in jobs
            ],
        )
        return Request(_CLAIM, codec.encode(wanted))


def _submission(type_: str, at: float) -> bytes:
    return codec.encode(JobSubmission(type_, msgspec.Raw(codec.encode({"at": at}))))


if __name__ == "__main__":
    measuring.main(Forge)
