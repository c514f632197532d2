"""Small plans with a bit of everything, and the slow and simple way to tell a right schedule."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any, Final

from forge_prodplan.schedule import Schedule, Scheduled
from forge_shared.plans.model import Machine, Mode, Operation, Plan, Resource

_FAMILIES: Final = ("red", "blue")
_LATEST: Final = 120


def random_plan(random: Random) -> dict[str, Any]:
    """Return a plan of up to nine operations; it can be done, or it cannot."""
    machines = [_machine(random, number) for number in range(random.randint(1, 3))]
    resources = [
        {"id": "crew", "capacity": random.randint(1, 3)},
        {"id": "steel", "capacity": random.randint(2, 9), "renewable": False},
    ][: random.choice((0, 1, 2, 2))]
    jobs = [_job(random, number, machines, resources) for number in range(random.randint(1, 3))]
    _tie(random, jobs)
    weights = random.choice(("makespan", "weighted_tardiness", None))
    return {
        "machines": machines,
        "resources": resources,
        "jobs": jobs,
        "objective": weights or {"makespan": 1, "weighted_tardiness": random.randint(1, 3)},
    }


def _machine(random: Random, number: int) -> dict[str, Any]:
    machine: dict[str, Any] = {"id": f"m{number}"}
    if random.random() < 0.5:
        starts = [random.randint(0, 20) for _ in range(random.randint(1, 3))]
        machine["unavailable"] = [[start, start + random.randint(1, 5)] for start in starts]
    if random.random() < 0.5:
        machine["setup_times"] = {
            before: {after: random.randint(0, 4) for after in _FAMILIES} for before in _FAMILIES
        }
    return machine


def _job(
    random: Random, number: int, machines: list[dict[str, Any]], resources: list[dict[str, Any]]
) -> dict[str, Any]:
    job: dict[str, Any] = {
        "id": f"j{number}",
        "operations": [
            _operation(random, each, machines, resources) for each in range(random.randint(1, 3))
        ],
    }
    if random.random() < 0.3:
        job["release"] = random.randint(0, 10)
    if random.random() < 0.6:
        job |= {"due": random.randint(0, 25), "weight": random.randint(0, 3)}
    if random.random() < 0.2:
        job["deadline"] = random.randint(5, 60)
    return job


def _operation(
    random: Random, number: int, machines: list[dict[str, Any]], resources: list[dict[str, Any]]
) -> dict[str, Any]:
    operation: dict[str, Any] = {"id": f"o{number}"}
    modes = [_mode(random, machines, resources) for _ in range(random.choice((1, 1, 2, 3)))]
    operation |= modes[0] if len(modes) == 1 else {"modes": modes}
    if random.random() < 0.7:
        operation["family"] = random.choice(_FAMILIES)
    if random.random() < 0.3:
        operation["pausable"] = True
    return operation


def _mode(
    random: Random, machines: list[dict[str, Any]], resources: list[dict[str, Any]]
) -> dict[str, Any]:
    there = random.sample(machines, min(len(machines), random.choice((0, 1, 1, 1, 1, 2))))
    return {
        "duration": random.choice((0, 1, 2, 3, 4, 5, 6)),
        "machines": [machine["id"] for machine in there],
        "demands": {
            each["id"]: random.randint(0, 2) for each in resources if random.random() < 0.5
        },
    }


def _tie(random: Random, jobs: list[dict[str, Any]]) -> None:
    """Let an operation follow one of another job, or none of its own."""
    for job in jobs:
        for operation in job["operations"]:
            if random.random() < 0.2:
                other = random.choice(jobs)
                last = other["operations"][-1]
                after = {"job": other["id"], "operation": last["id"], "lag": random.randint(0, 3)}
                operation["after"] = [] if other is job else [after]


def greedy(plan: Plan, random: Random) -> Schedule | None:
    """Return a right schedule in which everything is as early as it can be in some order; None
    where that led nowhere."""
    operations = [operation for _, operation in plan.operations()]
    placed: dict[int, Scheduled] = {}
    waiting = list(range(len(operations)))
    random.shuffle(waiting)
    while waiting:
        for number in waiting:
            found = _earliest(plan, operations[number], number, placed, random)
            if found is not None:
                placed[number] = found
                waiting.remove(number)
                break
        else:
            return None
    return tuple(placed[number] for number in range(len(operations)))


def _earliest(
    plan: Plan, operation: Operation, number: int, placed: dict[int, Scheduled], random: Random
) -> Scheduled | None:
    mode = random.randrange(len(operation.modes))
    for start in range(_LATEST):
        end = end_of(plan, operation, operation.modes[mode], start)
        found = Scheduled(mode, start, end)
        if is_right(plan, {**placed, number: found}):
            return found
    return None


def end_of(plan: Plan, operation: Operation, mode: Mode, start: int) -> int:
    """Return when it ends, pauses included."""
    if not operation.pausable:
        return start + mode.duration
    done, moment = 0, start
    while done < mode.duration:
        done += not _taken(plan, mode, moment)
        moment += 1
    return moment


def is_right(plan: Plan, tasks: dict[int, Scheduled]) -> bool:
    """Go through every moment of a schedule, or of a part that has all that comes before."""
    return (
        all(_is_in_time(plan, number, task) for number, task in tasks.items())
        and _is_in_order(plan, tasks)
        and all(_machine_is_right(plan, machine, tasks) for machine in plan.machines)
        and all(_resource_is_right(plan, resource, tasks) for resource in plan.resources)
    )


def _is_in_time(plan: Plan, number: int, task: Scheduled) -> bool:
    job, operation = list(plan.operations())[number]
    mode = operation.modes[task.mode]
    if task.start < job.release or (job.deadline is not None and task.end > job.deadline):
        return False
    if end_of(plan, operation, mode, task.start) != task.end:
        return False
    # Only a pausable one may lie over moments without a machine, and does not start in one.
    must = range(task.start, task.start + 1 if operation.pausable else task.end)
    return not mode.duration or not any(_taken(plan, mode, moment) for moment in must)


def _is_in_order(plan: Plan, tasks: dict[int, Scheduled]) -> bool:
    operations = list(plan.operations())
    numbers = {(job.id, each.id): number for number, (job, each) in enumerate(operations)}
    for number, task in tasks.items():
        for after in operations[number][1].after:
            before = tasks.get(numbers[after.job, after.operation])
            if before is None or task.start < before.end + after.lag:
                return False
    return True


def _machine_is_right(plan: Plan, machine: Machine, tasks: dict[int, Scheduled]) -> bool:
    operations = [operation for _, operation in plan.operations()]
    busy: dict[int, int] = {}
    for number, task in tasks.items():
        if machine.id in operations[number].modes[task.mode].machines:
            for moment in range(task.start, task.end):
                if moment in busy:
                    return False
                busy[moment] = number
    moments = sorted(busy)
    for last, moment in pairwise(moments):
        before, after = operations[busy[last]], operations[busy[moment]]
        if before is not after:
            row = (machine.setup_times or {}).get(before.family or "", {})
            setup = range(moment - row.get(after.family or "", 0), moment)
            if any(each <= last or _is_away(machine, each) for each in setup):
                return False
    return True


def _resource_is_right(plan: Plan, resource: Resource, tasks: dict[int, Scheduled]) -> bool:
    operations = [operation for _, operation in plan.operations()]
    amounts = {
        number: (operations[number].modes[task.mode].demands or {}).get(resource.id, 0)
        for number, task in tasks.items()
    }
    if not resource.renewable:
        return sum(amounts.values()) <= resource.capacity
    return all(
        sum(amounts[n] for n, task in tasks.items() if task.start <= moment < task.end)
        <= resource.capacity
        for moment in range(max((task.end for task in tasks.values()), default=0))
    )


def _taken(plan: Plan, mode: Mode, moment: int) -> bool:
    return any(
        _is_away(machine, moment) for machine in plan.machines if machine.id in mode.machines
    )


def _is_away(machine: Machine, moment: int) -> bool:
    return any(start <= moment < end for start, end in machine.unavailable)
