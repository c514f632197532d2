"""A job in words. What comes from jobs, nodes and people who submit is made printable here."""

from __future__ import annotations

from typing import Final

from forge_shared.job_messages import JobError, JobStatus, JobSummary, Progress
from forgectl import figures
from forgectl.output import printable

FINISHED: Final = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED})
_EXACT: Final = 2**53


def status(job: JobSummary) -> str:
    is_ending = job.cancel_requested and job.status not in FINISHED
    return "cancelling" if is_ending else job.status.value


def title(job: JobSummary) -> str:
    name = f"  {sentence(job.name)}" if job.name else ""
    return f"{printable(job.id)}  {printable(job.type)}{name}"


def state(job: JobSummary) -> str:
    """Return where a job is and what it waits for, in a line."""
    if job.status is JobStatus.RUNNING:
        where = f" on {printable(job.node_id)}" if job.node_id else ""
        return f"{status(job)}{where}, attempt {job.attempt_count} of {job.max_attempts}"
    told = status(job)
    if job.status not in FINISHED and job.waits_because:
        return f"{told}: {sentence(job.waits_because)}"
    if job.status is JobStatus.FAILED and job.error is not None:
        return f"{told}: {failure(job.error)}"
    return told


def progress(job: JobSummary) -> str:
    """Return how far a job is, in a line; empty where nothing is known of it."""
    if job.progress is None:
        return ""
    if job.status is JobStatus.SUCCEEDED:
        return solution(job.progress)  # what it said on its way is over
    told = (done(job.progress), sentence(job.progress.message), solution(job.progress))
    return ", ".join(filter(None, told))


def done(told: Progress | None) -> str:
    if told is None or told.fraction is None:
        return ""
    return f"{told.fraction * 100:.0f} %"


def solution(told: Progress) -> str:
    """Return the best solution known and what is proved of the best there can be."""
    parts = []
    if told.objective is not None:
        parts.append(f"objective {number(told.objective)}")
    if told.bound is not None:
        parts.append(f"bound {number(told.bound)}")
    if told.gap is not None:
        parts.append(f"gap {figures.percent(told.gap * 100)}")
    return ", ".join(parts)


def number(value: float) -> str:
    whole = abs(value) < _EXACT and value == int(value)
    return str(int(value)) if whole else f"{value:.6g}"


def failure(error: JobError) -> str:
    message = sentence(error.message)
    return f"{printable(error.code)}: {message}" if message else printable(error.code)


def sentence(text: str) -> str:
    """Return a stranger's words in one line."""
    return printable(" ".join(text.split()))
