"""A job live: redrawn on a terminal, line by line through a pipe, or as JSON."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final, Protocol

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from forge_shared.job_messages import Job, JobStatus, Progress
from forgectl import figures, output
from forgectl.client import Client, decoded
from forgectl.jobs import attempts, words
from forgectl.jobs.attempts import Numbered
from forgectl.jobs.listing import STYLES

_REDRAWN_PER_S: Final = 4
_BAR_WIDTH: Final = 40
_ATTEMPTS_DRAWN: Final = 5


class View(Protocol):
    """Where a job is shown."""

    def take(self, job: Job, data: bytes) -> None:
        """Show the job as it is now. ``data``: as it came."""

    def lost(self, reason: str) -> None:
        """Say that nothing is heard of it for the moment."""


def until_over(client: Client, job_id: str, *, as_json: bool) -> Job:
    """Show a job until it is over, and return it; raises ClientError."""
    with _view(as_json=as_json) as view:
        return _followed(client, job_id, view)


def _followed(client: Client, job_id: str, view: View) -> Job:
    path = f"/api/jobs/events?id={job_id}"
    with closing(client.lasting_events(path, view.lost)) as events:
        while True:
            data = next(events)
            job = decoded(data, Job)
            view.take(job, data)
            if job.status in words.FINISHED:
                return job


@contextmanager
def _view(*, as_json: bool) -> Iterator[View]:
    console = output.console()
    if as_json:
        yield _Json()
    elif console.is_terminal:
        screen = _Screen(console)
        with Live(get_renderable=screen.drawn, console=console, refresh_per_second=_REDRAWN_PER_S):
            yield screen
    else:
        yield _Lines()


class _Json:
    """Each state of the job, one a line."""

    def take(self, _job: Job, data: bytes) -> None:
        click.echo(data.decode())

    def lost(self, reason: str) -> None:
        output.notice(reason)


class _Lines:
    """What changed, a line each time."""

    def __init__(self) -> None:
        self._told = ("", "")

    def take(self, job: Job, _data: bytes) -> None:
        told = (words.state(job), words.progress(job))
        for before, now in zip(self._told, told, strict=True):
            if now and now != before:
                click.echo(f"{time.strftime('%H:%M:%S')}  {now}")
        self._told = told

    def lost(self, reason: str) -> None:
        output.notice(reason)


class _Screen:
    """What is drawn. Live draws in a thread of its own."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._trouble = ""

    def take(self, job: Job, _data: bytes) -> None:
        with self._lock:
            self._job, self._trouble = job, ""

    def lost(self, reason: str) -> None:
        with self._lock:
            self._trouble = reason

    def drawn(self) -> RenderableType:
        with self._lock:
            job, trouble = self._job, self._trouble
        if job is None:
            return Text("…", "dim")
        parts: list[RenderableType] = [
            _line(words.title(job), "bold"),
            _line(words.state(job), STYLES[job.status]),
        ]
        parts += _progress(job)
        known = attempts.numbered(job.attempts)
        ended = [each for each in known if each.attempt.ended_at is not None]
        parts += [_line(_attempt(each), "dim") for each in ended[-_ATTEMPTS_DRAWN:]]
        if trouble:
            parts.append(_line(output.printable(trouble), "red"))
        return Group(*parts)


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _progress(job: Job) -> Iterator[RenderableType]:
    told = job.progress
    if told is None:
        return
    if job.status is not JobStatus.SUCCEEDED:  # what it said on its way is over
        yield from _way(told)
    if solution := words.solution(told):
        yield _line(solution)


def _way(told: Progress) -> Iterator[RenderableType]:
    if told.fraction is not None:
        row = Table.grid(padding=(0, 2))
        row.add_row(
            ProgressBar(1.0, told.fraction, width=_BAR_WIDTH),
            _line(words.done(told)),
            _line(words.sentence(told.message), "dim"),
        )
        yield row
    elif told.message:
        yield _line(words.sentence(told.message), "dim")


def _attempt(known: Numbered) -> str:
    attempt = known.attempt
    took = figures.span((attempt.ended_at or attempt.started_at) - attempt.started_at)
    node = output.printable(attempt.node_id)
    return f"{attempts.title(known)} on {node}, took {took}: {attempts.ending(attempt)}"
