"""What becomes of a job when an attempt of it ends."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, NamedTuple

from forge_collector.jobs.rules import times
from forge_shared import codec
from forge_shared.job_messages import (
    AttemptOutcome,
    JobError,
    JobResult,
    JobStatus,
    ResultStatus,
)

Draw = Callable[[], float]  # a uniform draw from [0, 1)

CHARGED: Final = frozenset(
    {
        AttemptOutcome.SUCCEEDED,
        AttemptOutcome.FAILED,
        AttemptOutcome.CRASHED,
        AttemptOutcome.TIMED_OUT,
        AttemptOutcome.LOST,
    }
)
USUAL_ATTEMPTS: Final = 3
USUAL_BACKOFF_S: Final = 10
MOST_ATTEMPTS_KEPT: Final = 100  # of a job, the newest
_FAILURES: Final = frozenset(
    {AttemptOutcome.FAILED, AttemptOutcome.CRASHED, AttemptOutcome.TIMED_OUT}
)

LOST: Final = JobError("lost", "Nothing was heard of the worker for longer than a lease lasts.")
DIED: Final = JobError(
    "lost",
    "Its worker ended without having been told to, and it had saved nothing since it was started.",
)
OVERRUN: Final = JobError(
    "timed_out", "It went on for longer than its limits allow, and its worker did not stop it."
)
DEADLINE_PASSED: Final = JobError(
    "deadline_passed", "Its deadline passed before it was started.", retryable=False
)
PAYLOAD_MISSING: Final = JobError(
    "payload_missing",
    "Nothing of its payload came for a day. Submit it again, or upload the rest and retry it.",
    retryable=False,
)


def payload_invalid(fault: str) -> JobError:
    return JobError("payload_invalid", f"{fault}. Mend the payload and submit it again.", False)


class Policy(NamedTuple):
    """How often a job is tried, and how long it is put off at most before the second try."""

    max_attempts: int = USUAL_ATTEMPTS
    backoff_s: int = USUAL_BACKOFF_S


class Ending(NamedTuple):
    """What an attempt's end makes of its job. ``attempt_count``: of the job, from then on.
    ``available_at``: when it is tried again, if it waits for that. ``error``: why the attempt
    failed, if it did."""

    status: JobStatus
    outcome: AttemptOutcome
    attempt_count: int
    available_at: int | None = None
    error: JobError | None = None


def outcome_of(result: JobResult, *, heard: bool, saved: bool) -> AttemptOutcome:
    """Return how an attempt ended by what its worker says, or the worker after it. ``heard``: it
    was known to its worker; ``saved``: it has left a checkpoint of its own."""
    if result.status is ResultStatus.SUCCEEDED:
        return AttemptOutcome.SUCCEEDED
    if result.status is ResultStatus.YIELDED:
        if result.outcome is not AttemptOutcome.LOST or saved:
            return AttemptOutcome.YIELDED
        # The job itself may be what brings its workers down: it is not to go round for ever.
        return AttemptOutcome.LOST if heard else AttemptOutcome.UNSTARTED
    return result.outcome if result.outcome in _FAILURES else AttemptOutcome.FAILED


def digest(result: JobResult) -> bytes:
    """Return what tells one result of an attempt from another."""
    hashed = hashlib.blake2b(result.status.encode(), digest_size=16)
    hashed.update(result.result)
    if result.status is not ResultStatus.SUCCEEDED or result.result_file is not None:
        # Only encoded bytes follow, so that no two results run into the same ones.
        hashed.update(codec.encode((result.result_file, result.error, result.outcome)))
    return hashed.digest()


def ending(
    outcome: AttemptOutcome,
    attempt: int,
    now_ms: int,
    *,
    policy: Policy,
    is_cancelled: bool,
    error: JobError | None = None,
    draw: Draw,
) -> Ending:
    """Decide what becomes of a job. ``is_cancelled``: somebody asked for that meanwhile."""
    if outcome is AttemptOutcome.SUCCEEDED:
        return Ending(JobStatus.SUCCEEDED, outcome, attempt)
    if outcome not in CHARGED:
        if is_cancelled:
            return Ending(JobStatus.CANCELLED, AttemptOutcome.CANCELLED, attempt - 1)
        return Ending(JobStatus.PENDING, outcome, attempt - 1)
    error = error or JobError(outcome.value)
    wait_ms = 0
    if is_cancelled:
        status = JobStatus.CANCELLED
    elif not error.retryable or attempt >= policy.max_attempts:
        status = JobStatus.FAILED
    else:
        # One that was lost has waited for long enough.
        if outcome is not AttemptOutcome.LOST:
            wait_ms = times.backoff_ms(policy.backoff_s, attempt, draw())
        status = JobStatus.WAITING if wait_ms else JobStatus.PENDING
    return Ending(status, outcome, attempt, now_ms + wait_ms if wait_ms else None, error)
