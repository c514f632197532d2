"""A schedule of a plan, what it is worth, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from forge_shared.plans.model import Job, Mode, Plan


@dataclass(frozen=True, slots=True)
class Scheduled:
    """An operation in a schedule. ``mode``: which of its modes, counted from 0."""

    mode: int
    start: int
    end: int


# One for each operation, in the order of the plan.
Schedule = tuple[Scheduled, ...]


@dataclass(frozen=True, slots=True)
class Worth:
    makespan: int
    weighted_tardiness: int
    objective: int


def worth(plan: Plan, schedule: Schedule) -> Worth:
    ends = _ends(plan, schedule)
    makespan = max(ends.values())
    tardiness = sum(job.weight * _tardiness(job, ends[job.id]) for job in plan.jobs)
    objective = plan.objective
    return Worth(
        makespan,
        tardiness,
        objective.makespan * makespan + objective.weighted_tardiness * tardiness,
    )


def result(plan: Plan, schedule: Schedule, bound: int) -> dict[str, Any]:
    """Return what a job is answered with; see result.schema.json."""
    value, ends, setups = worth(plan, schedule), _ends(plan, schedule), _setups(plan, schedule)
    numbers = [
        f"{place}.{number}"
        for place, job in enumerate(plan.jobs, start=1)
        for number in range(1, len(job.operations) + 1)
    ]
    return {
        "status": "optimal" if bound == value.objective else "feasible",
        "objective": value.objective,
        "bound": bound,
        "objectives": {
            "makespan": value.makespan,
            "weighted_tardiness": value.weighted_tardiness,
        },
        "horizon": value.makespan,
        "time_unit": plan.time_unit,
        "machines": [
            {
                "id": machine.id,
                "name": machine.name,
                "unavailable": [list(interval) for interval in machine.unavailable],
            }
            for machine in plan.machines
        ],
        "resources": [
            {
                "id": resource.id,
                "name": resource.name,
                "capacity": resource.capacity,
                "renewable": resource.renewable,
            }
            for resource in plan.resources
        ],
        "jobs": [
            {
                "id": job.id,
                "name": job.name,
                "due": job.due,
                "release": job.release,
                "weight": job.weight,
                "end": ends[job.id],
                "tardiness": _tardiness(job, ends[job.id]),
            }
            for job in plan.jobs
        ],
        "tasks": [
            {
                "id": number,
                "job": job.id,
                "operation": operation.id,
                "mode": task.mode,
                "machines": list(occupied(operation.modes[task.mode])),
                "demands": dict(operation.modes[task.mode].demands or {}),
                "start": task.start,
                "end": task.end,
                "setup": setup,
            }
            for number, (job, operation), task, setup in zip(
                numbers, plan.operations(), schedule, setups, strict=True
            )
        ],
    }


def occupied(mode: Mode) -> tuple[str, ...]:
    """Return the machines that are busy with it: what takes no time occupies none."""
    return mode.machines if mode.duration else ()


def _ends(plan: Plan, schedule: Schedule) -> dict[str, int]:
    ends = dict.fromkeys((job.id for job in plan.jobs), 0)
    for (job, _), task in zip(plan.operations(), schedule, strict=True):
        ends[job.id] = max(ends[job.id], task.end)
    return ends


def _tardiness(job: Job, end: int) -> int:
    return 0 if job.due is None else max(0, end - job.due)


def _setups(plan: Plan, schedule: Schedule) -> list[int]:
    """Return how long machines are set up before each operation; the longest, where there are
    several."""
    setups = [0] * len(schedule)
    families = [operation.family for _, operation in plan.operations()]
    for machine in plan.machines:
        times = machine.setup_times
        if times is None:
            continue
        order = sequence(plan, schedule, machine.id)
        for before, after in pairwise(order):
            time = times.get(families[before] or "", {}).get(families[after] or "", 0)
            setups[after] = max(setups[after], time)
    return setups


def sequence(plan: Plan, schedule: Schedule, machine: str) -> list[int]:
    """Return the operations that a machine does, by their number in the plan, in its order."""
    there = [
        index
        for index, ((_, operation), task) in enumerate(
            zip(plan.operations(), schedule, strict=True)
        )
        if machine in occupied(operation.modes[task.mode])
    ]
    return sorted(there, key=lambda index: schedule[index].start)
