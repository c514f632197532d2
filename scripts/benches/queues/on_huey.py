"""SqliteHuey under measurement, with synchronous=FULL: a local file, no network. A task is deleted
as it is taken, so that a crash loses it; waiting workers look again after 0.1 s, which is its
default."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any, Final

from huey import SqliteHuey

from scripts.benches.queues import handlers, measuring
from scripts.benches.queues.measuring import Span, Wanted

_LOOK_EVERY_S: Final = 0.002
_PATIENCE_S: Final = 60


class Huey:
    """``store``: a folder."""

    def __init__(self, wanted: Wanted) -> None:
        path = Path(wanted.store["folder"]) / "huey.db"
        self._huey = SqliteHuey(wanted.queue, filename=str(path), fsync=True, timeout=_PATIENCE_S)
        self._task: Any = self._huey.task()(handlers.no_op)
        logging.getLogger("huey").setLevel(logging.ERROR)

    def submit(self, count: int, concurrency: int, seconds: float) -> Span:
        return measuring.until_enough(lambda: self._task(0.0), count, concurrency, seconds)

    def fill(self, count: int) -> None:
        measuring.until_enough(lambda: self._task(0.0), count, 1, _PATIENCE_S)

    def work(self, count: int, concurrency: int, seconds: float) -> Span:
        before = len(handlers.LATE_MS)
        consumer = self._consumer(concurrency)
        began = time.monotonic()
        consumer.start()
        while len(handlers.LATE_MS) - before < count and time.monotonic() - began < seconds:
            time.sleep(_LOOK_EVERY_S)
        span = Span(len(handlers.LATE_MS) - before, time.monotonic() - began)
        consumer.stop(graceful=True)
        return span

    def start(self, count: int) -> list[float]:
        consumer = self._consumer(1)
        consumer.start()
        print(measuring.READY, flush=True)
        while len(handlers.LATE_MS) < count:
            time.sleep(_LOOK_EVERY_S)
        consumer.stop(graceful=True)
        return handlers.LATE_MS

    def send(self) -> None:
        self._task(time.monotonic())

    def _consumer(self, workers: int) -> Any:
        return self._huey.create_consumer(workers=workers, periodic=False)


if __name__ == "__main__":
    measuring.main(Huey)
