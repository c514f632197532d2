"""Jobs as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from forge_shared.job_messages import JobStatus, JobSummary
from forgectl import fitting
from forgectl.fitting import Column
from forgectl.jobs import words
from forgectl.output import local_time, printable

STYLES: Final[Mapping[JobStatus, str]] = {
    JobStatus.WAITING: "dim",
    JobStatus.PENDING: "yellow",
    JobStatus.RUNNING: "cyan",
    JobStatus.SUCCEEDED: "green",
    JobStatus.FAILED: "red",
    JobStatus.CANCELLED: "dim",
}


def counted(counts: Mapping[JobStatus, int]) -> str:
    """Return how many jobs there are of each status."""
    told = [f"{counts[each]:,} {each.value}" for each in JobStatus if counts.get(each)]
    return ", ".join(told) or "no jobs yet"


def note(job: JobSummary) -> str:
    """Return what else there is to know of a job, in a line."""
    if job.error is not None and job.status is not JobStatus.SUCCEEDED:
        return words.failure(job.error)
    if job.status is JobStatus.RUNNING and job.progress is not None:
        told = [words.sentence(job.progress.message), words.solution(job.progress)]
        return ", ".join(filter(None, told))
    return words.sentence(job.waits_because or "")


def _done(job: JobSummary) -> str:
    """Return how far a job has come; of one that has succeeded that is no question."""
    return "" if job.status is JobStatus.SUCCEEDED else words.done(job.progress)


def _status_style(job: JobSummary) -> str:
    return STYLES[job.status]


_COLUMNS: Final = (
    Column[JobSummary]("ID", lambda job: printable(job.id), is_copied=True),
    Column[JobSummary]("STATUS", words.status, style=_status_style),
    Column[JobSummary]("TYPE", lambda job: printable(job.type), 6),
    Column[JobSummary]("NAME", lambda job: words.sentence(job.name or ""), 2),
    Column[JobSummary]("DONE", _done, 5, is_figure=True),
    Column[JobSummary]("NODE", lambda job: printable(job.node_id or ""), 4),
    Column[JobSummary]("TRIED", lambda job: f"{job.attempt_count} of {job.max_attempts}", 1),
    Column[JobSummary]("SUBMITTED", lambda job: local_time(job.created_at), 0),
    Column[JobSummary]("BY", lambda job: printable(job.submitted_by), 0),
    Column[JobSummary]("NOTE", note, 3),
)


def table(jobs: Sequence[JobSummary], console: Console) -> Table:
    """Return jobs as a table that fits: ids are never cut, and columns leave."""
    idle = {title for title, is_used in _used(jobs) if not is_used}
    return fitting.table(jobs, [column for column in _COLUMNS if column.title not in idle], console)


def _used(jobs: Sequence[JobSummary]) -> Iterator[tuple[str, bool]]:
    """Yield the columns that may have nothing to tell, and whether they do."""
    yield "NAME", any(job.name for job in jobs)
    yield "DONE", any(_done(job) for job in jobs)
    yield "NODE", any(job.node_id for job in jobs)
    yield "NOTE", any(note(job) for job in jobs)
