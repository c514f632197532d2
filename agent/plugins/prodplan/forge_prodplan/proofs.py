"""Proofs that a plan has no schedule, that can be told in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from forge_prodplan.errors import InfeasiblePlanError
from forge_shared.plans.model import After, Job, Mode, Operation, Plan

_Key = tuple[str, str]  # a job's id, and an operation's
_MOST_NAMED = 8


def check(plan: Plan) -> None:
    """Raise InfeasiblePlanError where it is easily seen that nothing can be done. The solver
    finds the rest."""
    operations = {(job.id, operation.id): operation for job, operation in plan.operations()}
    order = _order(operations)
    _check_resources(plan)
    _check_deadlines(plan, operations, order)


def _order(operations: dict[_Key, Operation]) -> list[_Key]:
    """Return all operations, each behind what it comes after."""
    before = {
        key: [(after.job, after.operation) for after in operation.after]
        for key, operation in operations.items()
    }
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError as error:
        circle = [f"{job}/{operation}" for job, operation in error.args[1]]
        if len(circle) > _MOST_NAMED:
            circle = [*circle[: _MOST_NAMED - 2], "…", circle[-1]]
        raise InfeasiblePlanError(
            f"these operations wait for one another: {' → '.join(circle)}"
        ) from error


def _check_resources(plan: Plan) -> None:
    capacities = {resource.id: resource for resource in plan.resources}
    least = dict.fromkeys((name for name, each in capacities.items() if not each.renewable), 0)
    for job, operation in plan.operations():
        possible = [mode for mode in operation.modes if _too_much(plan, mode) is None]
        if not possible:
            name = _too_much(plan, operation.modes[0])
            raise InfeasiblePlanError(
                f"operation {job.id}/{operation.id} needs more of {name} than the"
                f" {capacities[name or ''].capacity} that there are"
            )
        for name in least:
            least[name] += min((mode.demands or {}).get(name, 0) for mode in possible)
    for name, amount in least.items():
        if amount > capacities[name].capacity:
            raise InfeasiblePlanError(
                f"all operations together use up at least {amount} of {name}, and there are"
                f" {capacities[name].capacity}"
            )


def _too_much(plan: Plan, mode: Mode) -> str | None:
    """Return the resource of which a mode needs more than there is."""
    for resource in plan.resources:
        demand = (mode.demands or {}).get(resource.id, 0)
        if demand > resource.capacity and (mode.duration or not resource.renewable):
            return resource.id
    return None


def _check_deadlines(plan: Plan, operations: dict[_Key, Operation], order: list[_Key]) -> None:
    """Compare deadlines with the earliest ends there could be, were every machine free."""
    releases = {job.id: job.release for job in plan.jobs}
    ends: dict[_Key, int] = {}
    for key in order:
        starts = [releases[key[0]], *_starts(operations[key].after, ends)]
        ends[key] = max(starts) + min(mode.duration for mode in operations[key].modes)
    for job in plan.jobs:
        end = _end(job, ends)
        if job.deadline is not None and end > job.deadline:
            raise InfeasiblePlanError(
                f"job {job.id} cannot end before {end}, and its deadline is {job.deadline}"
            )


def _starts(before: tuple[After, ...], ends: dict[_Key, int]) -> Iterator[int]:
    return (ends[after.job, after.operation] + after.lag for after in before)


def _end(job: Job, ends: dict[_Key, int]) -> int:
    return max(ends[job.id, operation.id] for operation in job.operations)
