"""litequeue under measurement, with synchronous=FULL: a local file, no network. It leaves waiting
for jobs to its users."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from litequeue import LiteQueue

from scripts.benches.queues import measuring
from scripts.benches.queues.measuring import Span, Wanted

_PATIENCE_S: Final = 60


class Local:
    """``store``: a folder."""

    def __init__(self, wanted: Wanted) -> None:
        self._path = Path(wanted.store["folder"]) / f"{wanted.queue}.db"
        self._of_thread = threading.local()

    def submit(self, count: int, concurrency: int, seconds: float) -> Span:
        return measuring.until_enough(self._add, count, concurrency, seconds)

    def fill(self, count: int) -> None:
        measuring.until_enough(self._add, count, 1, _PATIENCE_S)

    def work(self, count: int, concurrency: int, seconds: float) -> Span:
        return measuring.until_enough(self._cycle, count, concurrency, seconds)

    def start(self, count: int) -> list[float]:
        raise NotImplementedError

    def send(self) -> None:
        self._add()

    def _add(self) -> None:
        self._queue().put("0")

    def _cycle(self) -> None:
        queue = self._queue()
        message = queue.pop()
        if message is not None:
            queue.done(message.message_id)

    def _queue(self) -> LiteQueue:
        queue: LiteQueue | None = getattr(self._of_thread, "queue", None)
        if queue is None:
            queue = LiteQueue(self._path, timeout=_PATIENCE_S)
            queue.conn.execute("PRAGMA synchronous = FULL")
            self._of_thread.queue = queue
        return queue


if __name__ == "__main__":
    measuring.main(Local)
