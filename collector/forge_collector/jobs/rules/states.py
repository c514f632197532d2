"""The states of a job, and what leads from one to the next. docs/jobs.md draws this table."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from forge_shared.job_messages import JobStatus


class Event(StrEnum):
    """What happens to a job."""

    DUE = "its time came"  # and its payload is there
    CLAIMED = "claimed"
    SUCCEEDED = "succeeded"
    RETURNED = "given back"  # yielded, never started, or lost
    BACKED_OFF = "failed, to be tried again"
    FAILED = "failed for good"
    DEADLINE = "its deadline passed"
    ABANDONED = "its payload never came"
    REFUSED = "its payload was refused"
    CANCELLED = "cancelled"
    RETRIED = "retried"


class Transition(NamedTuple):
    before: JobStatus
    event: Event
    after: JobStatus


FINISHED: Final = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED})
UNFINISHED: Final = frozenset(JobStatus) - FINISHED

TRANSITIONS: Final = frozenset(
    {
        Transition(JobStatus.WAITING, Event.DUE, JobStatus.PENDING),
        Transition(JobStatus.WAITING, Event.DEADLINE, JobStatus.FAILED),
        Transition(JobStatus.WAITING, Event.ABANDONED, JobStatus.FAILED),
        Transition(JobStatus.WAITING, Event.REFUSED, JobStatus.FAILED),
        Transition(JobStatus.WAITING, Event.CANCELLED, JobStatus.CANCELLED),
        Transition(JobStatus.PENDING, Event.CLAIMED, JobStatus.RUNNING),
        Transition(JobStatus.PENDING, Event.DEADLINE, JobStatus.FAILED),
        Transition(JobStatus.PENDING, Event.CANCELLED, JobStatus.CANCELLED),
        Transition(JobStatus.RUNNING, Event.SUCCEEDED, JobStatus.SUCCEEDED),
        Transition(JobStatus.RUNNING, Event.RETURNED, JobStatus.PENDING),
        Transition(JobStatus.RUNNING, Event.BACKED_OFF, JobStatus.WAITING),
        Transition(JobStatus.RUNNING, Event.FAILED, JobStatus.FAILED),
        Transition(JobStatus.RUNNING, Event.CANCELLED, JobStatus.CANCELLED),
        Transition(JobStatus.FAILED, Event.RETRIED, JobStatus.PENDING),
        Transition(JobStatus.CANCELLED, Event.RETRIED, JobStatus.PENDING),
        # Its payload was never uploaded to the end.
        Transition(JobStatus.FAILED, Event.RETRIED, JobStatus.WAITING),
        Transition(JobStatus.CANCELLED, Event.RETRIED, JobStatus.WAITING),
    }
)
# A job begins in one of these.
FIRST: Final = frozenset({JobStatus.WAITING, JobStatus.PENDING})


def may_become(before: JobStatus | None, after: JobStatus) -> bool:
    """Tell whether anything leads from one status to the other; before a job there is None."""
    if before is None:
        return after in FIRST
    return any(one.before is before and one.after is after for one in TRANSITIONS)


def sources(event: Event) -> frozenset[JobStatus]:
    """Return the statuses in which this can happen."""
    return frozenset(one.before for one in TRANSITIONS if one.event is event)
