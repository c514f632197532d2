"""A plan to be scheduled: jobs of operations, and the machines and resources they need.

Times and durations are whole numbers of the plan's own unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

DEFAULT_TIME_LIMIT_S: Final = 60

# What the solver is given must fit into its 64 bits, and into the memory of a usual machine.
LONGEST_TIME: Final = 10**9
HEAVIEST_WEIGHT: Final = 10**6
LARGEST_AMOUNT: Final = 10**6
LONGEST_WORD: Final = 128
MOST_JOBS: Final = 10_000
MOST_OPERATIONS: Final = 10_000
MOST_MODES: Final = 50_000
MOST_MACHINES: Final = 1_000
MOST_INTERVALS: Final = 2_000
MOST_FAMILIES: Final = 500
# Any two operations of a machine may follow one another: its set-up times cost by the square.
MOST_WITH_SETUPS: Final = 300


class MalformedPlanError(Exception):
    """What was given is no plan. ``where``: a path such as ``jobs[0].operations[2].duration``, or
    a line."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Machine:
    """Does one operation at a time. ``unavailable``: intervals in order, apart from one another.
    ``setup_times``: by the family of the operation before, and the family of the one after."""

    id: str
    name: str
    unavailable: tuple[tuple[int, int], ...] = ()
    setup_times: Mapping[str, Mapping[str, int]] | None = None


@dataclass(frozen=True, slots=True)
class Resource:
    """``renewable``: what an operation needs of it is free again after it; otherwise used up."""

    id: str
    name: str
    capacity: int
    renewable: bool = True


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to do an operation: on all of ``machines`` at once, with these amounts of resources.

    What takes no time occupies neither machine nor renewable resource.
    """

    duration: int
    machines: tuple[str, ...] = ()
    demands: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class After:
    """An operation starts at least ``lag`` after the end of this one."""

    job: str
    operation: str
    lag: int = 0


@dataclass(frozen=True, slots=True)
class Operation:
    """``pausable``: it may be interrupted while a machine is unavailable, and then goes on."""

    id: str
    modes: tuple[Mode, ...]
    after: tuple[After, ...] = ()
    family: str | None = None
    pausable: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """``release``: nothing of it starts before. ``due``: what ends later is tardy; ``deadline``:
    nothing may end later."""

    id: str
    name: str
    operations: tuple[Operation, ...]
    release: int = 0
    due: int | None = None
    deadline: int | None = None
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Objective:
    """What is minimised: makespan times its weight, and the sum over the jobs of weight times
    tardiness, times its weight."""

    makespan: int = 1
    weighted_tardiness: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    machines: tuple[Machine, ...]
    jobs: tuple[Job, ...]
    resources: tuple[Resource, ...] = ()
    objective: Objective = Objective()
    name: str = ""
    time_unit: str = "1"

    def operations(self) -> Iterator[tuple[Job, Operation]]:
        """Yield all operations, in the order of the plan."""
        for job in self.jobs:
            for operation in job.operations:
                yield job, operation


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as `prodplan` takes it."""
    document: dict[str, Any] = {"name": plan.name} if plan.name else {}
    document["time_unit"] = plan.time_unit
    document["machines"] = [_machine(machine) for machine in plan.machines]
    if plan.resources:
        document["resources"] = [_resource(resource) for resource in plan.resources]
    document["jobs"] = [_job(job) for job in plan.jobs]
    document["objective"] = {
        "makespan": plan.objective.makespan,
        "weighted_tardiness": plan.objective.weighted_tardiness,
    }
    return document


def _machine(machine: Machine) -> dict[str, Any]:
    found: dict[str, Any] = {"id": machine.id, "name": machine.name}
    if machine.unavailable:
        found["unavailable"] = [list(interval) for interval in machine.unavailable]
    if machine.setup_times:
        found["setup_times"] = {
            before: dict(times) for before, times in machine.setup_times.items()
        }
    return found


def _resource(resource: Resource) -> dict[str, Any]:
    return {
        "id": resource.id,
        "name": resource.name,
        "capacity": resource.capacity,
        "renewable": resource.renewable,
    }


def _job(job: Job) -> dict[str, Any]:
    found: dict[str, Any] = {"id": job.id, "name": job.name}
    usual = {"release": 0, "due": None, "deadline": None, "weight": 1}
    found |= {key: getattr(job, key) for key in usual if getattr(job, key) != usual[key]}
    found["operations"] = []
    before = None
    for operation in job.operations:
        found["operations"].append(_operation(operation, job.id, before))
        before = operation.id
    return found


def _operation(operation: Operation, job: str, before: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"id": operation.id}
    if len(operation.modes) == 1:
        found |= _mode(operation.modes[0])
    else:
        found["modes"] = [_mode(mode) for mode in operation.modes]
    usual = () if before is None else (After(job, before),)
    if operation.after != usual:
        found["after"] = [
            {"job": after.job, "operation": after.operation, "lag": after.lag}
            for after in operation.after
        ]
    if operation.family is not None:
        found["family"] = operation.family
    if operation.pausable:
        found["pausable"] = True
    return found


def _mode(mode: Mode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if len(mode.machines) == 1:
        found["machine"] = mode.machines[0]
    elif mode.machines:
        found["machines"] = list(mode.machines)
    found["duration"] = mode.duration
    if mode.demands:
        found["demands"] = dict(mode.demands)
    return found
