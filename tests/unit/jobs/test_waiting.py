"""Why a job is not running yet."""

from __future__ import annotations

import pytest

from forge_collector.jobs import rules
from forge_collector.jobs.rules import Limits, Machine, Needs, Offer, Standing, Waiting
from forge_shared.job_messages import JobStatus, Requirements, ResourceClass, WorkerState

NOW = 1_800_000_000_000
CPU, LLM = ResourceClass.CPU, ResourceClass.LLM
LIMITS = Limits({CPU: 2, LLM: 1}, {LLM: 1})
PLAN = Needs("plan", CPU, Requirements())


def worker(  # noqa: PLR0917  a test's table
    name: str = "pc",
    types: tuple[str, ...] = ("plan",),
    state: WorkerState = WorkerState.READY,
    reason: str = "",
    is_silent: bool = False,
    running: int = 0,
    resource_class: ResourceClass = CPU,
    cores: int = 4,
) -> Standing:
    offer = Offer(Machine(name, cores=cores), rules.offered(types), {CPU: 4, LLM: 4})
    return Standing(f"{name}.1", offer, state, reason, is_silent, {resource_class: running})


def why(job: Waiting, *workers: Standing) -> str | None:
    return rules.why_waiting(job, workers, LIMITS, NOW)


def pending(needs: Needs = PLAN) -> Waiting:
    return Waiting(JobStatus.PENDING, needs, 0, None, is_uploading=False)


@pytest.mark.parametrize(
    ("wait_ms", "attempt_count", "because"),
    [
        (1, 0, "It is to start in 1 s."),
        (-50, 0, "It is to start in 0 s."),
        (119_000, 0, "It is to start in 119 s."),
        (121_000, 0, "It is to start in 3 min."),
        (7_200_000, 0, "It is to start in 2 h."),
        (5000, 2, "Attempt 2 failed; it is tried again in 5 s."),
    ],
)
def test_its_time(wait_ms: int, attempt_count: int, because: str) -> None:
    job = Waiting(JobStatus.WAITING, PLAN, attempt_count, NOW + wait_ms, is_uploading=False)
    assert why(job) == because


def test_its_payload() -> None:
    job = Waiting(JobStatus.WAITING, PLAN, 0, NOW, is_uploading=True)
    assert why(job) == "Its payload is being uploaded."


@pytest.mark.parametrize(
    "status", [one for one in JobStatus if one not in {JobStatus.WAITING, JobStatus.PENDING}]
)
def test_what_runs_or_has_ended_does_not_wait(status: JobStatus) -> None:
    assert why(Waiting(status, PLAN, 1, None, is_uploading=False), worker()) is None


@pytest.mark.parametrize(
    ("workers", "because"),
    [
        (
            [],
            "No worker is there. Turn work on where a machine may do jobs: forge-agent work on.",
        ),
        (
            [worker(is_silent=True)],
            "No worker is there. Turn work on where a machine may do jobs: forge-agent work on.",
        ),
        ([worker(types=("echo",))], "No worker offers plan."),
        (
            [
                worker(types=("echo",))._replace(lacking={"plan": "no Python", "x": "no y"}),
                worker("nas", types=("echo",)),
                worker("old", is_silent=True)._replace(lacking={"plan": "no room"}),
            ],
            "No worker offers plan: pc has it in vain (no Python).",
        ),
        (
            [worker(state=WorkerState.PAUSED, reason="somebody uses it")],
            "No worker that could take it works now: pc is paused (somebody uses it).",
        ),
        (
            [worker(state=WorkerState.DRAINING), worker("nas", state=WorkerState.PAUSED)],
            "No worker that could take it works now: pc is draining; nas is paused.",
        ),
        ([worker(running=2)], "pc.1 could take it, and is busy."),
        (
            [worker(running=2), worker("nas", running=5)],
            "All 2 workers that could take it are busy.",
        ),
        (
            [worker(running=2), worker("nas")],
            "A worker can take it as soon as its turn comes.",
        ),
        (
            [worker(running=2), worker("nas", state=WorkerState.PAUSED)],
            "pc.1 could take it, and is busy.",
        ),
    ],
)
def test_who_could_take_it(workers: list[Standing], because: str) -> None:
    assert why(pending(), *workers) == because


def test_what_the_workers_lack() -> None:
    needs = Needs("plan", CPU, Requirements(cores=64))
    assert why(pending(needs), worker(), worker("nas", cores=2)) == (
        "No worker has what it needs: pc has 4 cores, not 64; nas has 2 cores, not 64."
    )
    many = [worker(f"n{number}") for number in range(5)]
    assert why(pending(needs), *many) == (
        "No worker has what it needs: n0 has 4 cores, not 64; n1 has 4 cores, not 64; "
        "n2 has 4 cores, not 64; and 2 more."
    )


def test_the_fleet_s_limit() -> None:
    needs = Needs("plan", LLM, Requirements())
    assert why(pending(needs), worker(), worker("nas", running=1, resource_class=LLM)) == (
        "As many llm jobs are running as the fleet may run at once: 1."
    )
