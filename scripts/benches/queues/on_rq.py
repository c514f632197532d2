"""RQ under measurement. Its workers are processes of one slot each, forked when all is imported;
they do jobs in their own process, for a child of each job would be measured more than the queue."""

from __future__ import annotations

import logging
import multiprocessing
import time
from typing import Any, Final

import redis
import rq

from scripts.benches.queues import handlers, measuring
from scripts.benches.queues.measuring import Span, Wanted

_MANY: Final = 500
_LOOK_EVERY_S: Final = 0.005


class Rq:
    """``store``: where Redis is."""

    def __init__(self, wanted: Wanted) -> None:
        self._store: dict[str, Any] = wanted.store
        self._name = wanted.queue
        self._queue = rq.Queue(self._name, connection=redis.Redis(**self._store))
        logging.getLogger("rq.worker").setLevel(logging.ERROR)

    def submit(self, count: int, concurrency: int, seconds: float) -> Span:
        return measuring.until_enough(self._add, count, concurrency, seconds)

    def fill(self, count: int) -> None:
        for left in range(count, 0, -_MANY):
            jobs = [rq.Queue.prepare_data(handlers.no_op, (0.0,)) for _ in range(min(left, _MANY))]
            self._queue.enqueue_many(jobs)

    def work(self, count: int, concurrency: int, seconds: float) -> Span:
        forking = multiprocessing.get_context("fork")
        workers = [forking.Process(target=self._work) for _ in range(concurrency)]
        for worker in workers:
            worker.start()
        # It takes each of them a while to begin.
        while (left := self._queue.count) == count:
            time.sleep(_LOOK_EVERY_S)
        began = time.monotonic()
        while time.monotonic() - began < seconds and any(one.is_alive() for one in workers):
            time.sleep(_LOOK_EVERY_S)
        done = left - self._queue.count
        took_s = time.monotonic() - began
        for worker in workers:
            worker.terminate()
            worker.join()
        return Span(done, took_s)

    def start(self, count: int) -> list[float]:
        print(measuring.READY, flush=True)
        self._worker().work(max_jobs=count, logging_level="ERROR")
        return handlers.LATE_MS

    def send(self) -> None:
        self._queue.enqueue(handlers.no_op, time.monotonic())

    def _add(self) -> None:
        self._queue.enqueue(handlers.no_op, 0.0)

    def _work(self) -> None:
        self._worker().work(burst=True, logging_level="ERROR")

    def _worker(self) -> rq.SimpleWorker:
        connection = redis.Redis(**self._store)  # none is shared with other processes
        return rq.SimpleWorker([rq.Queue(self._name, connection=connection)], connection=connection)


if __name__ == "__main__":
    measuring.main(Rq)
