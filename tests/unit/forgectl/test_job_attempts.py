"""A job's attempts and solutions in words."""

from __future__ import annotations

import pytest
from msgspec import Raw

from forge_shared.job_messages import (
    Attempt,
    AttemptOutcome,
    Incumbent,
    Job,
    JobError,
    JobStatus,
    Requirements,
    ResourceClass,
)
from forgectl.jobs import attempts, details

YIELDED, FAILED, LOST = AttemptOutcome.YIELDED, AttemptOutcome.FAILED, AttemptOutcome.LOST
CANCELLED, UNSTARTED = AttemptOutcome.CANCELLED, AttemptOutcome.UNSTARTED


def made(*told: tuple[int, AttemptOutcome | None]) -> list[Attempt]:
    return [Attempt(number, "w", "n", 1000, outcome=outcome) for number, outcome in told]


def test_attempts_are_numbered_as_they_came_charged_or_not() -> None:
    found = attempts.numbered(made((1, YIELDED), (1, FAILED), (2, UNSTARTED), (2, None)))
    assert [attempts.title(known) for known in found] == [
        "attempt 1 (not charged)",
        "attempt 2",
        "attempt 3 (not charged)",
        "attempt 4",
    ]


@pytest.mark.parametrize(
    "before",
    [made((1, FAILED), (2, FAILED)), made((1, FAILED), (2, YIELDED)), made((1, CANCELLED))],
)
def test_the_first_after_a_retry_is_told(before: list[Attempt]) -> None:
    *known, first, second = attempts.numbered([*before, *made((1, LOST), (2, None))])
    assert not any(each.is_retry for each in known)
    assert attempts.title(first) == f"attempt {len(before) + 1} (the first after a retry)"
    assert not second.is_retry


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("crashed", "crashed: the program ended"),
        ("no_paper", "crashed: no_paper: the program ended"),
        (None, "crashed"),
    ],
)
def test_how_an_attempt_ended_is_told_once(code: str | None, told: str) -> None:
    error = JobError(code, "the program ended") if code else None
    crashed = Attempt(1, "w", "n", 1000, 2000, AttemptOutcome.CRASHED, error)
    assert attempts.ending(crashed) == told


def test_a_new_bound_is_no_solution() -> None:
    found = [(5509, 5000), (5509, 5100), (5466, 5100), (5466, 5466)]
    job = Job(
        id="j",
        type="prodplan",
        status=JobStatus.RUNNING,
        created_at=0,
        attempt_count=1,
        max_attempts=3,
        resource_class=ResourceClass.CPU,
        requires=Requirements(),
        payload=Raw(b"null"),
        result=Raw(b"null"),
        incumbents=[Incumbent(0, objective, bound) for objective, bound in found],
    )
    assert "  solutions   2: 5509 → 5466" in list(details.lines(job))
