"""What becomes of a job when an attempt ends."""

from __future__ import annotations

import pytest
from msgspec import Raw

from forge_collector.jobs import rules
from forge_collector.jobs.rules import Ending, Policy
from forge_shared.job_messages import (
    AttemptOutcome,
    FileDigest,
    JobError,
    JobResult,
    JobStatus,
    ResultStatus,
)

NOW = 1_800_000_000_000
FINAL = JobError("infeasible", "No plan is possible.", retryable=False)
THRICE = Policy(max_attempts=3, backoff_s=10)


def ending(
    outcome: AttemptOutcome,
    attempt: int = 1,
    *,
    policy: Policy = THRICE,
    is_cancelled: bool = False,
    error: JobError | None = None,
    drawn: float = 0.5,
) -> Ending:
    return rules.ending(
        outcome,
        attempt,
        NOW,
        policy=policy,
        is_cancelled=is_cancelled,
        error=error,
        draw=lambda: drawn,
    )


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_success_is_one_whoever_cancelled(is_cancelled: bool) -> None:
    ended = ending(AttemptOutcome.SUCCEEDED, 2, is_cancelled=is_cancelled)
    assert ended == Ending(JobStatus.SUCCEEDED, AttemptOutcome.SUCCEEDED, 2)


@pytest.mark.parametrize("outcome", [AttemptOutcome.YIELDED, AttemptOutcome.UNSTARTED])
def test_what_is_given_back_is_not_charged(outcome: AttemptOutcome) -> None:
    assert ending(outcome, 3) == Ending(JobStatus.PENDING, outcome, 2)
    assert ending(outcome, 3, is_cancelled=True) == Ending(
        JobStatus.CANCELLED, AttemptOutcome.CANCELLED, 2
    )


@pytest.mark.parametrize(
    ("attempt", "wait_ms"), [(1, 5000), (2, 10_000), (5, 80_000), (7, 300_000), (19, 300_000)]
)
@pytest.mark.parametrize(
    "outcome", [AttemptOutcome.FAILED, AttemptOutcome.CRASHED, AttemptOutcome.TIMED_OUT]
)
def test_a_failure_is_put_off_longer_each_time(
    outcome: AttemptOutcome, attempt: int, wait_ms: int
) -> None:
    ended = ending(outcome, attempt, policy=Policy(20, 10))
    assert (ended.status, ended.attempt_count) == (JobStatus.WAITING, attempt)
    assert ended.available_at == NOW + wait_ms
    assert ended.error == JobError(outcome.value)


@pytest.mark.parametrize(
    ("backoff_s", "failures", "drawn", "wait_ms"),
    [
        (10, 1, 0.0, 0),
        (10, 1, 0.999, 9990),
        (10, 2, 0.5, 10_000),
        (10, 3, 0.5, 20_000),
        (10, 100, 0.5, 300_000),
        (3600, 1, 0.5, 300_000),
        (0, 5, 0.9, 0),
    ],
)
def test_backoff(backoff_s: int, failures: int, drawn: float, wait_ms: int) -> None:
    assert rules.backoff_ms(backoff_s, failures, drawn) == wait_ms


@pytest.mark.parametrize(("backoff_s", "drawn"), [(0, 0.9), (10, 0.0)])
def test_no_wait_is_no_wait(backoff_s: int, drawn: float) -> None:
    ended = ending(AttemptOutcome.FAILED, policy=Policy(3, backoff_s), drawn=drawn)
    assert (ended.status, ended.available_at) == (JobStatus.PENDING, None)


def test_one_that_was_lost_has_waited_already() -> None:
    ended = ending(AttemptOutcome.LOST, error=rules.LOST)
    assert (ended.status, ended.available_at) == (JobStatus.PENDING, None)
    assert (ended.attempt_count, ended.error) == (1, rules.LOST)


CHARGED_FAILURES = sorted(rules.CHARGED - {AttemptOutcome.SUCCEEDED})


@pytest.mark.parametrize("outcome", CHARGED_FAILURES)
def test_the_last_attempt_is_the_last(outcome: AttemptOutcome) -> None:
    assert ending(outcome, 3).status is JobStatus.FAILED
    assert ending(outcome, 1, policy=Policy(1, 10)).status is JobStatus.FAILED
    assert ending(outcome, 4, policy=Policy(3, 10)).status is JobStatus.FAILED


@pytest.mark.parametrize("outcome", CHARGED_FAILURES)
def test_what_was_cancelled_is_not_tried_again(outcome: AttemptOutcome) -> None:
    ended = ending(outcome, is_cancelled=True)
    assert (ended.status, ended.outcome, ended.attempt_count) == (JobStatus.CANCELLED, outcome, 1)


def test_what_would_fail_again_fails_at_once() -> None:
    ended = ending(AttemptOutcome.FAILED, error=FINAL)
    assert ended == Ending(JobStatus.FAILED, AttemptOutcome.FAILED, 1, None, FINAL)


@pytest.mark.parametrize(
    ("status", "told", "outcome"),
    [
        (ResultStatus.SUCCEEDED, None, AttemptOutcome.SUCCEEDED),
        (ResultStatus.SUCCEEDED, AttemptOutcome.CRASHED, AttemptOutcome.SUCCEEDED),
        (ResultStatus.YIELDED, None, AttemptOutcome.YIELDED),
        (ResultStatus.YIELDED, AttemptOutcome.LOST, AttemptOutcome.LOST),
        (ResultStatus.YIELDED, AttemptOutcome.CRASHED, AttemptOutcome.YIELDED),
        (ResultStatus.FAILED, None, AttemptOutcome.FAILED),
        (ResultStatus.FAILED, AttemptOutcome.CRASHED, AttemptOutcome.CRASHED),
        (ResultStatus.FAILED, AttemptOutcome.TIMED_OUT, AttemptOutcome.TIMED_OUT),
        # A worker cannot make a failure into what it is not charged for.
        (ResultStatus.FAILED, AttemptOutcome.YIELDED, AttemptOutcome.FAILED),
        (ResultStatus.FAILED, AttemptOutcome.UNSTARTED, AttemptOutcome.FAILED),
        (ResultStatus.FAILED, AttemptOutcome.SUCCEEDED, AttemptOutcome.FAILED),
    ],
)
def test_how_it_ended_by_what_the_worker_says(
    status: ResultStatus, told: AttemptOutcome | None, outcome: AttemptOutcome
) -> None:
    result = JobResult("l", status, outcome=told)
    assert rules.outcome_of(result, heard=True, saved=False) is outcome


@pytest.mark.parametrize(
    ("heard", "saved", "outcome"),
    [
        (True, True, AttemptOutcome.YIELDED),
        (False, True, AttemptOutcome.YIELDED),
        (True, False, AttemptOutcome.LOST),
        (False, False, AttemptOutcome.UNSTARTED),
    ],
)
def test_what_a_dead_worker_left_is_charged_unless_the_job_got_on(
    heard: bool, saved: bool, outcome: AttemptOutcome
) -> None:
    left = JobResult("l", ResultStatus.YIELDED, outcome=AttemptOutcome.LOST)
    assert rules.outcome_of(left, heard=heard, saved=saved) is outcome


def test_which_results_are_the_same() -> None:
    done = ResultStatus.SUCCEEDED
    results = [
        JobResult("l", done),
        JobResult("l", done, Raw(b"1")),
        JobResult("l", done, result_file=FileDigest(1, "a" * 64)),
        JobResult("l", done, result_file=FileDigest(1, "b" * 64)),
        JobResult("l", ResultStatus.FAILED),
        JobResult("l", ResultStatus.FAILED, error=JobError("a")),
        JobResult("l", ResultStatus.FAILED, error=JobError("a", "b")),
        JobResult("l", ResultStatus.FAILED, error=JobError("a"), outcome=AttemptOutcome.CRASHED),
        JobResult("l", ResultStatus.YIELDED),
    ]
    assert len({rules.digest(result) for result in results}) == len(results)
    log = JobResult("other", done, Raw(b"1"), log_tail="x", checkpoint=Raw(b"2"))
    assert rules.digest(log) == rules.digest(results[1])
