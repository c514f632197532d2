"""What the queue refuses. Each code is a problem's; the message says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STALE_LEASE: Final = "stale_lease"
JOB_FINISHED: Final = "job_finished"
JOB_UNFINISHED: Final = "job_unfinished"
ID_TAKEN: Final = "id_taken"
FOREIGN_WORKER: Final = "foreign_worker"
FILE_INCOMPLETE: Final = "file_incomplete"
FILE_CONFLICT: Final = "file_conflict"
DEADLINE_PASSED: Final = "deadline_passed"

# The HTTP status of each.
REFUSALS: Final[Mapping[str, int]] = {
    STALE_LEASE: 409,
    JOB_FINISHED: 409,
    JOB_UNFINISHED: 409,
    ID_TAKEN: 409,
    FOREIGN_WORKER: 403,
    FILE_INCOMPLETE: 409,
    FILE_CONFLICT: 409,
    DEADLINE_PASSED: 422,
}

_ENDED: Final = {"succeeded": "succeeded", "failed": "failed", "cancelled": "been cancelled"}


class RefusedError(Exception):
    """What was asked is refused, and nothing changed. ``code``: the problem's."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class NoSuchJobError(LookupError):
    """There is no job with this id."""


def stale_lease(job_id: str) -> RefusedError:
    return RefusedError(
        STALE_LEASE,
        f"This lease of job {job_id} has ended, or is not this machine's. Stop working on it; "
        "whoever holds the job now does it.",
    )


def foreign_worker(worker_id: str) -> RefusedError:
    return RefusedError(
        FOREIGN_WORKER,
        f"The worker {worker_id} belongs to another machine. Give each start of a worker an id of "
        "its own.",
    )


def job_finished(job_id: str, status: str) -> RefusedError:
    return RefusedError(JOB_FINISHED, f"Job {job_id} has {_ENDED.get(status, status)} already.")


def job_unfinished(job_id: str) -> RefusedError:
    return RefusedError(
        JOB_UNFINISHED, f"Job {job_id} is under way. Wait until it has ended, or cancel it."
    )


def key_under_way() -> RefusedError:
    return RefusedError(
        JOB_UNFINISHED,
        "Another job with its dedup_key is under way. Wait until that one has ended.",
    )


def id_taken(job_id: str) -> RefusedError:
    return RefusedError(
        ID_TAKEN, f"Another job has the id {job_id}. Leave the id out, or make a new UUID."
    )


def deadline_passed() -> RefusedError:
    return RefusedError(DEADLINE_PASSED, "The deadline has passed already. Set a later one.")


def too_late() -> RefusedError:
    return RefusedError(
        DEADLINE_PASSED,
        "It is to wait (delay_s) until its deadline has passed. Set a later deadline, or a shorter "
        "delay.",
    )


def file_incomplete(name: str) -> RefusedError:
    return RefusedError(
        FILE_INCOMPLETE,
        f"The file {name} is not there as a whole. Upload it, then send this again.",
    )


def file_conflict(detail: str) -> RefusedError:
    return RefusedError(FILE_CONFLICT, detail)
