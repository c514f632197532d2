from __future__ import annotations

from forge_shared.job_messages import JobStatus, JobSummary, Progress, ResourceClass
from forgectl.jobs import words


def job(status: JobStatus) -> JobSummary:
    return JobSummary(
        id="j",
        type="prodplan",
        status=status,
        created_at=0,
        attempt_count=1,
        max_attempts=3,
        resource_class=ResourceClass.CPU,
        progress=Progress(0.17, "939, at best 810", objective=930, bound=930, gap=0),
    )


def test_what_a_job_said_on_its_way_is_told_until_it_has_succeeded() -> None:
    assert words.progress(job(JobStatus.RUNNING)).startswith("17 %, 939, at best 810, objective")
    assert words.progress(job(JobStatus.FAILED)).startswith("17 %")
    assert words.progress(job(JobStatus.SUCCEEDED)).startswith("objective 930, bound 930")
