"""Procrastinate under measurement, one worker of as many slots as wanted, in one event loop. It
keeps finished jobs, as ours does."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

import procrastinate

from scripts.benches.queues import handlers, measuring
from scripts.benches.queues.measuring import Span, Wanted

_CONNECTIONS: Final = 20
_MANY: Final = 500
_LOOK_EVERY_S: Final = 0.005
T = TypeVar("T")


class Procrastinate:
    """``store``: how to reach PostgreSQL."""

    def __init__(self, wanted: Wanted) -> None:
        self._conninfo: str = wanted.store["conninfo"]
        self._name = wanted.queue
        self._loop = asyncio.new_event_loop()
        self._sender: procrastinate.App | None = None
        logging.getLogger("procrastinate").setLevel(logging.ERROR)

    def prepare(self) -> None:
        self._run(lambda app: app.schema_manager.apply_schema_async())

    def submit(self, count: int, concurrency: int, seconds: float) -> Span:
        return self._run(lambda app: self._submit(app, count, concurrency, seconds))

    def fill(self, count: int) -> None:
        if count > 0:
            self._run(lambda app: self._fill(app, count))

    def work(self, count: int, concurrency: int, seconds: float) -> Span:  # noqa: ARG002  all
        return self._run(lambda app: self._work(app, concurrency, seconds))

    def start(self, count: int) -> list[float]:
        self._run(lambda app: self._wait(app, count))
        return handlers.LATE_MS

    def send(self) -> None:
        if self._sender is None:
            self._sender = self._app()
            self._loop.run_until_complete(self._sender.open_async().__aenter__())
        self._loop.run_until_complete(_add(self._sender, time.monotonic()))

    async def _submit(
        self, app: procrastinate.App, count: int, concurrency: int, seconds: float
    ) -> Span:
        begun = 0
        began = time.monotonic()

        async def one() -> None:
            nonlocal begun
            while begun < count and time.monotonic() - began < seconds:
                begun += 1
                await _add(app, 0.0)

        await asyncio.gather(*(one() for _ in range(concurrency)))
        return Span(begun, time.monotonic() - began)

    @staticmethod
    async def _fill(app: procrastinate.App, count: int) -> None:
        for left in range(count, 0, -_MANY):
            jobs = [{"at": 0.0} for _ in range(min(left, _MANY))]
            await app.configure_task("no_op").batch_defer_async(*jobs)

    async def _work(self, app: procrastinate.App, concurrency: int, seconds: float) -> Span:
        began = time.monotonic()
        # A worker that is told not to wait ends when nothing is left.
        worker = app.run_worker_async(concurrency=concurrency, wait=False)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(worker, seconds)
        took_s = time.monotonic() - began
        done = await app.job_manager.list_jobs_async(queue=self._name, status="succeeded")
        return Span(len(list(done)), took_s)

    @staticmethod
    async def _wait(app: procrastinate.App, count: int) -> None:
        worker = asyncio.ensure_future(app.run_worker_async())
        print(measuring.READY, flush=True)
        while len(handlers.LATE_MS) < count:  # noqa: ASYNC110  the jobs know of nobody
            await asyncio.sleep(_LOOK_EVERY_S)
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker

    def _run(self, work: Callable[[procrastinate.App], Awaitable[T]]) -> T:
        async def opened() -> T:
            app = self._app()
            async with app.open_async():
                return await work(app)

        return self._loop.run_until_complete(opened())

    def _app(self) -> procrastinate.App:
        connector = procrastinate.PsycopgConnector(
            conninfo=self._conninfo, min_size=4, max_size=_CONNECTIONS
        )
        defaults = {"queues": [self._name], "install_signal_handlers": False}
        app = procrastinate.App(connector=connector, worker_defaults=defaults)
        app.task(name="no_op", queue=self._name)(_no_op)
        return app


async def _no_op(at: float) -> None:
    handlers.no_op(at)  # a task that is no coroutine would run in a thread


async def _add(app: procrastinate.App, at: float) -> None:
    await app.configure_task("no_op").defer_async(at=at)


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        Procrastinate(Wanted("", {"conninfo": sys.argv[2]})).prepare()
    else:
        measuring.main(Procrastinate)
