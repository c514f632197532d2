"""What a program beside a queue is asked, and what it answers.

``PROGRAM COMMAND WANTED``, the latter as JSON; the answer is JSON in the last line it prints.

cycles: submit jobs one after the other, or as many at a time as wanted, for so many seconds; submit
    the rest in the fastest way; work on all of them, but for no longer than twice the seconds.
start: be a worker, say so, and tell how long after its submission each job started.
send: submit jobs with pauses between them, for a worker that waits.

It runs in the environment of the queue that it measures, so it needs Python and nothing else.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from threading import Thread
from typing import Any, Final, NamedTuple, Protocol

READY: Final = "ready"
WARM_UP: Final = 300


class Wanted(NamedTuple):
    """``queue``: a name that no measurement used before. ``store``: where the queue is kept."""

    queue: str
    store: Any
    concurrency: int = 1
    jobs: int = 0
    seconds: float = 0
    pause_ms: float = 0
    one_slot: bool = False  # as many workers of one slot, where one worker may have many
    together: bool = False  # submits: so many in a request, one request after the other


class Span(NamedTuple):
    """How many jobs it was, and how long it took."""

    jobs: int
    seconds: float


class Queue(Protocol):
    """A queue, as its users would use it."""

    def submit(self, count: int, concurrency: int, seconds: float) -> Span:
        """Submit jobs, each durably before the next, until there are enough or time is up."""

    def fill(self, count: int) -> None:
        """Submit jobs in the fastest way there is."""

    def work(self, count: int, concurrency: int, seconds: float) -> Span:
        """Do so many jobs that wait, until all are done or time is up."""

    def start(self, count: int) -> list[float]:
        """Be a worker that waits; return how late each job was, in ms."""

    def send(self) -> None:
        """Submit one job."""


def main(opened: Callable[[Wanted], Queue]) -> None:
    command, told = sys.argv[1:]
    wanted = Wanted(**json.loads(told))
    answers = {"cycles": _cycles, "start": _start, "send": _send}
    answer = answers[command](opened, wanted)
    print(json.dumps(answer), flush=True)


def until_enough(one: Callable[[], object], count: int, concurrency: int, seconds: float) -> Span:
    """Do something again and again, in so many threads."""
    began = time.monotonic()
    done = [0] * concurrency

    def repeat(place: int) -> None:
        share = (count + place) // concurrency
        while done[place] < share and time.monotonic() - began < seconds:
            one()
            done[place] += 1

    if concurrency == 1:
        repeat(0)
    else:
        threads = [Thread(target=repeat, args=(place,)) for place in range(concurrency)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return Span(sum(done), time.monotonic() - began)


def _cycles(opened: Callable[[Wanted], Queue], wanted: Wanted) -> dict[str, Span]:
    warm = opened(wanted._replace(queue=f"{wanted.queue}-warm"))
    begun = warm.submit(WARM_UP, wanted.concurrency, wanted.seconds)
    warm.work(begun.jobs, wanted.concurrency, wanted.seconds)
    queue = opened(wanted)
    submitted = queue.submit(wanted.jobs, wanted.concurrency, wanted.seconds)
    queue.fill(wanted.jobs - submitted.jobs)
    cycled = queue.work(wanted.jobs, wanted.concurrency, 2 * wanted.seconds)
    return {"submitted": submitted, "cycled": cycled}


def _start(opened: Callable[[Wanted], Queue], wanted: Wanted) -> dict[str, list[float]]:
    return {"start_ms": opened(wanted).start(wanted.jobs)}


def _send(opened: Callable[[Wanted], Queue], wanted: Wanted) -> dict[str, int]:
    queue = opened(wanted)
    for _ in range(wanted.jobs):
        time.sleep(wanted.pause_ms / 1000)
        queue.send()
    return {"sent": wanted.jobs}
