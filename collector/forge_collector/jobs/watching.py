"""Who watches jobs: all of them, a submitter's own, or one.

There is something here for those alone who watch, so that a queue nobody watches costs nothing.
What changed is noted as it happens, and read and encoded once for all, a few times a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final, TypeVar

from forge_collector.http.streams import event
from forge_collector.jobs.store import Change, Gone
from forge_shared import codec
from forge_shared.job_messages import Job, JobsFrame, JobStatus, JobSummary

LIST_EVENT: Final = "jobs"
JOB_EVENT: Final = "job"
_MOST_TOLD: Final = 100  # changed jobs of one frame; with more, a list is better asked for again


class ListWatch:
    """Everybody who watches the same list: all jobs, or those of one ``owner_id``."""

    def __init__(self, owner_id: str | None) -> None:
        self.owner_id = owner_id
        self.watchers = 0
        self.changed: dict[str, None] = {}
        self._gone: list[str] = []
        self._version = 0
        self._frame = b""
        self._reload = b""
        self._news = asyncio.Event()

    def note(self, job_id: str) -> None:
        if len(self.changed) <= _MOST_TOLD:
            self.changed[job_id] = None

    def note_gone(self, job_id: str) -> None:
        if len(self._gone) <= _MOST_TOLD:
            self._gone.append(job_id)

    @property
    def has_news(self) -> bool:
        return bool(self.changed or self._gone)

    def take(self) -> list[str]:
        """Return what changed since the last time; too much to be told counts as nothing."""
        changed, self.changed = list(self.changed), {}
        return changed

    def tell(
        self, now_ms: int, counts: Mapping[JobStatus, int], changed: int, jobs: list[JobSummary]
    ) -> None:
        """Make this the newest frame. ``changed``: how many were taken."""
        gone, self._gone = self._gone, []
        is_too_much = changed > _MOST_TOLD or len(gone) > _MOST_TOLD
        reload = JobsFrame(now_ms, dict(counts), [], reload=True)
        self._reload = event(LIST_EVENT, codec.encode(reload))
        self._frame = (
            self._reload
            if is_too_much
            else event(LIST_EVENT, codec.encode(JobsFrame(now_ms, dict(counts), jobs, gone)))
        )
        self._version += 1
        self._news.set()
        self._news = asyncio.Event()

    async def frames(self, now_ms: int, counts: Mapping[JobStatus, int]) -> AsyncIterator[bytes]:
        """Yield the counts at once, then each frame; who missed one is told to ask again."""
        seen = self._version
        first = JobsFrame(now_ms, dict(counts), [], reload=True)
        yield event(LIST_EVENT, codec.encode(first))
        while True:
            if seen == self._version:
                await self._news.wait()
            missed = self._version - seen > 1
            seen = self._version
            yield self._reload if missed else self._frame


class JobWatch:
    """Everybody who watches one job: its newest state, but for payload and result, which may be
    large and hold line breaks."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.watchers = 0
        self.has_news = False
        self._frame = b""
        self._told = 0
        self._is_over = False
        self._news = asyncio.Event()

    @property
    def is_new(self) -> bool:
        return not self._told

    def tell(self, job: Job | None) -> None:
        """Make this its newest state; None: it is no more."""
        if job is None:
            self._is_over = True
        else:
            self._frame = event(JOB_EVENT, codec.encode(job))
            self._told += 1
        self._news.set()
        self._news = asyncio.Event()

    async def frames(self) -> AsyncIterator[bytes]:
        seen = 0
        while True:
            if seen == self._told:
                if self._is_over:
                    return
                await self._news.wait()
            else:
                seen = self._told
                yield self._frame


K = TypeVar("K")
W = TypeVar("W", ListWatch, JobWatch)


class Watches:
    """All lists and jobs that are watched."""

    def __init__(self) -> None:
        self._lists: dict[str | None, ListWatch] = {}
        self._jobs: dict[str, JobWatch] = {}

    def __bool__(self) -> bool:
        return bool(self._lists or self._jobs)

    def note(self, change: Change) -> None:
        for owner_id in (None, change.submitted_by):
            if (watched := self._lists.get(owner_id)) is not None:
                watched.note(change.job_id)
        if (job := self._jobs.get(change.job_id)) is not None:
            job.has_news = True

    def note_gone(self, gone: Gone) -> None:
        for owner_id in (None, gone.submitted_by):
            if (watched := self._lists.get(owner_id)) is not None:
                watched.note_gone(gone.job_id)
        if (job := self._jobs.get(gone.job_id)) is not None:
            job.has_news = True

    def lists_with_news(self) -> list[ListWatch]:
        return [watched for watched in self._lists.values() if watched.has_news]

    def jobs_with_news(self) -> list[JobWatch]:
        return [watched for watched in self._jobs.values() if watched.has_news]

    def of_list(self, owner_id: str | None) -> AbstractContextManager[ListWatch]:
        return _watching(self._lists, owner_id, ListWatch)

    def of_job(self, job_id: str) -> AbstractContextManager[JobWatch]:
        return _watching(self._jobs, job_id, JobWatch)


@contextmanager
def _watching(watches: dict[K, W], key: K, new: Callable[[K], W]) -> Iterator[W]:
    """What is watched is there from its first watcher to its last."""
    watched = watches.setdefault(key, new(key))
    watched.watchers += 1
    try:
        yield watched
    finally:
        watched.watchers -= 1
        if not watched.watchers:
            del watches[key]
