"""Reads a plan as JSON holds it; what is wrong with it is said with its path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from forge_shared.plans.model import (
    HEAVIEST_WEIGHT,
    LARGEST_AMOUNT,
    LONGEST_TIME,
    LONGEST_WORD,
    MOST_FAMILIES,
    MOST_INTERVALS,
    MOST_JOBS,
    MOST_MACHINES,
    MOST_MODES,
    MOST_OPERATIONS,
    MOST_WITH_SETUPS,
    After,
    Job,
    Machine,
    MalformedPlanError,
    Mode,
    Objective,
    Operation,
    Plan,
    Resource,
)

# What a payload may say beside the plan.
BESIDE_THE_PLAN: Final = frozenset({"options"})
_MODE_KEYS: Final = frozenset({"machine", "machines", "duration", "demands"})
_OPERATION_KEYS: Final = frozenset({"id", "modes", "after", "family", "pausable"})
_LARGEST_SUM: Final = 2**52  # of all that could be added up, so that nothing overflows

T = TypeVar("T")


def plan_from_json(document: object) -> Plan:
    """Return the plan; raises MalformedPlanError, which says where and why."""
    top = _table(
        document,
        "plan",
        {"name", "time_unit", "machines", "resources", "jobs", "objective"} | BESIDE_THE_PLAN,
    )
    machines = _named(top, "machines", MOST_MACHINES, _machine, needed=False)
    resources = _named(top, "resources", MOST_MACHINES, _resource, needed=False)
    jobs = _named(top, "jobs", MOST_JOBS, _job)
    plan = Plan(
        machines=machines,
        resources=resources,
        jobs=jobs,
        objective=_objective(top.get("objective", "makespan")),
        name=_word(top.get("name", ""), "name", empty=True),
        time_unit=_word(top.get("time_unit", "1"), "time_unit"),
    )
    _check_references(plan)
    _check_size(plan)
    return plan


def _check_references(plan: Plan) -> None:
    """Refuse what names something that is not there."""
    machines = {machine.id for machine in plan.machines}
    resources = {resource.id for resource in plan.resources}
    operations = {(job.id, operation.id) for job, operation in plan.operations()}
    for where, operation in _places(plan):
        for mode in operation.modes:
            for machine in mode.machines:
                if machine not in machines:
                    raise MalformedPlanError(where, f"there is no machine {machine!r}")
            for resource in mode.demands or ():
                if resource not in resources:
                    raise MalformedPlanError(
                        f"{where}.demands", f"there is no resource {resource!r}"
                    )
        for after in operation.after:
            if (after.job, after.operation) not in operations:
                raise MalformedPlanError(
                    f"{where}.after",
                    f"job {after.job!r} has no operation {after.operation!r}, or is not there",
                )


def _check_size(plan: Plan) -> None:
    """Refuse what is more than can be planned."""
    count = sum(len(job.operations) for job in plan.jobs)
    if count > MOST_OPERATIONS:
        raise MalformedPlanError("jobs", f"{count} operations; {MOST_OPERATIONS} are the most")
    modes = sum(len(operation.modes) for _, operation in plan.operations())
    if modes > MOST_MODES:
        raise MalformedPlanError("jobs", f"{modes} modes; {MOST_MODES} are the most")
    for index, machine in enumerate(plan.machines):
        if machine.setup_times is None:
            continue
        there = sum(
            any(machine.id in mode.machines for mode in operation.modes)
            for _, operation in plan.operations()
        )
        if there > MOST_WITH_SETUPS:
            raise MalformedPlanError(
                f"machines[{index}].setup_times",
                f"{there} operations may run there; with set-up times, {MOST_WITH_SETUPS} are"
                " the most",
            )
    if _worst(plan) > _LARGEST_SUM:
        raise MalformedPlanError(
            "objective", "times or weights are too large; choose a larger unit"
        )


def _worst(plan: Plan) -> int:
    """Return more than any objective can be."""
    end = longest_end(plan)
    weights = sum(job.weight for job in plan.jobs if job.due is not None)
    return end * (plan.objective.makespan + plan.objective.weighted_tardiness * weights + 1)


def longest_end(plan: Plan) -> int:
    """Return a time at which everything can have ended, if it can be done at all: one after the
    other, behind the last release and the last interval without a machine."""
    begin = max(
        [
            0,
            *(job.release for job in plan.jobs),
            *(end for machine in plan.machines for _, end in machine.unavailable),
        ]
    )
    setups = _longest_setups(plan)
    return begin + sum(
        max(mode.duration for mode in operation.modes)
        + max((after.lag for after in operation.after), default=0)
        + setups.get(operation.family or "", 0)
        for _, operation in plan.operations()
    )


def _longest_setups(plan: Plan) -> dict[str, int]:
    """Return, by family, the longest set-up for it anywhere."""
    longest: dict[str, int] = {}
    for machine in plan.machines:
        for times in (machine.setup_times or {}).values():
            for family, time in times.items():
                longest[family] = max(time, longest.get(family, 0))
    return longest


def _places(plan: Plan) -> Iterator[tuple[str, Operation]]:
    for index, job in enumerate(plan.jobs):
        for number, operation in enumerate(job.operations):
            yield f"jobs[{index}].operations[{number}]", operation


# --- the parts of a plan ----------------------------------------------------------------------


def _machine(found: object, where: str, number: int) -> Machine:
    table = _table(found, where, {"id", "name", "unavailable", "setup_times"})
    name = _id(table, where, number)
    intervals = _list(table.get("unavailable", []), f"{where}.unavailable", MOST_INTERVALS)
    return Machine(
        id=name,
        name=_word(table.get("name", name), f"{where}.name"),
        unavailable=_merged(
            _interval(each, f"{where}.unavailable[{index}]") for index, each in enumerate(intervals)
        ),
        setup_times=_setup_times(table.get("setup_times"), f"{where}.setup_times"),
    )


def _interval(found: object, where: str) -> tuple[int, int]:
    ends = _list(found, where, 2)
    if len(ends) != 2:
        raise MalformedPlanError(where, "must be [start, end]")
    start, end = (_whole(each, where, 0, LONGEST_TIME) for each in ends)
    if start >= end:
        raise MalformedPlanError(where, f"ends at {end}, not after its start at {start}")
    return start, end


def _merged(intervals: Iterator[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _setup_times(found: object, where: str) -> dict[str, dict[str, int]] | None:
    if found is None:
        return None
    times: dict[str, dict[str, int]] = {}
    for before, row in _words(found, where, MOST_FAMILIES).items():
        times[before] = {
            after: _whole(time, f"{where}.{before}.{after}", 0, LONGEST_TIME)
            for after, time in _words(row, f"{where}.{before}", MOST_FAMILIES).items()
        }
    return times if any(any(row.values()) for row in times.values()) else None


def _resource(found: object, where: str, number: int) -> Resource:
    table = _table(found, where, {"id", "name", "capacity", "renewable"})
    name = _id(table, where, number)
    return Resource(
        id=name,
        name=_word(table.get("name", name), f"{where}.name"),
        capacity=_whole(_given(table, "capacity", where), f"{where}.capacity", 0, LARGEST_AMOUNT),
        renewable=_truth(table.get("renewable", True), f"{where}.renewable"),
    )


def _job(found: object, where: str, number: int) -> Job:
    table = _table(
        found, where, {"id", "name", "release", "due", "deadline", "weight", "operations"}
    )
    job = _id(table, where, number)

    def operation(found: object, where: str, number: int) -> Operation:
        return _operation(found, where, number, job)

    operations = _named(table, "operations", MOST_OPERATIONS, operation, where=where)
    due, deadline = (
        None if table.get(key) is None else _whole(table[key], f"{where}.{key}", 0, LONGEST_TIME)
        for key in ("due", "deadline")
    )
    return Job(
        id=job,
        name=_word(table.get("name", job), f"{where}.name"),
        operations=_in_order(operations, table["operations"], job),
        release=_whole(table.get("release", 0), f"{where}.release", 0, LONGEST_TIME),
        due=due,
        deadline=deadline,
        weight=_whole(table.get("weight", 1), f"{where}.weight", 0, HEAVIEST_WEIGHT),
    )


def _in_order(
    operations: tuple[Operation, ...], tables: list[dict[str, Any]], job: str
) -> tuple[Operation, ...]:
    """Let each operation that does not say what it comes after follow the one before it."""
    ordered: list[Operation] = []
    for operation, table in zip(operations, tables, strict=True):
        after = operation.after
        if "after" not in table and ordered:
            after = (After(job, ordered[-1].id),)
        ordered.append(
            Operation(operation.id, operation.modes, after, operation.family, operation.pausable)
        )
    return tuple(ordered)


def _operation(found: object, where: str, number: int, job: str) -> Operation:
    table = _table(found, where, _OPERATION_KEYS | _MODE_KEYS)
    after = _list(table.get("after", []), f"{where}.after", MOST_OPERATIONS)
    family = table.get("family")
    return Operation(
        id=_id(table, where, number),
        modes=_modes(table, where),
        after=tuple(
            _after(each, f"{where}.after[{index}]", job) for index, each in enumerate(after)
        ),
        family=None if family is None else _word(family, f"{where}.family"),
        pausable=_truth(table.get("pausable", False), f"{where}.pausable"),
    )


def _modes(table: dict[str, Any], where: str) -> tuple[Mode, ...]:
    if "modes" not in table:
        return (_mode({key: table[key] for key in table.keys() & _MODE_KEYS}, where),)
    if table.keys() & _MODE_KEYS:
        raise MalformedPlanError(where, "has modes, and so none of machine, duration and demands")
    found = _list(table["modes"], f"{where}.modes", MOST_MODES)
    if not found:
        raise MalformedPlanError(f"{where}.modes", "must not be empty")
    return tuple(_mode(each, f"{where}.modes[{index}]") for index, each in enumerate(found))


def _mode(found: object, where: str) -> Mode:
    table = _table(found, where, _MODE_KEYS)
    if "machine" in table and "machines" in table:
        raise MalformedPlanError(where, "has both machine and machines")
    machines: tuple[str, ...]
    if "machine" in table:
        machines = (_word(table["machine"], f"{where}.machine"),)
    else:
        listed = _list(table.get("machines", []), f"{where}.machines", MOST_MACHINES)
        machines = tuple(
            _word(each, f"{where}.machines[{index}]") for index, each in enumerate(listed)
        )
    if len(set(machines)) < len(machines):
        raise MalformedPlanError(f"{where}.machines", "names a machine twice")
    demands = _words(table.get("demands", {}), f"{where}.demands", MOST_MACHINES)
    return Mode(
        duration=_whole(_given(table, "duration", where), f"{where}.duration", 0, LONGEST_TIME),
        machines=machines,
        demands={
            name: _whole(amount, f"{where}.demands.{name}", 0, LARGEST_AMOUNT)
            for name, amount in demands.items()
        },
    )


def _after(found: object, where: str, job: str) -> After:
    if isinstance(found, str):
        return After(job, _word(found, where))
    table = _table(found, where, {"job", "operation", "lag"})
    return After(
        job=_word(table.get("job", job), f"{where}.job"),
        operation=_word(_given(table, "operation", where), f"{where}.operation"),
        lag=_whole(table.get("lag", 0), f"{where}.lag", 0, LONGEST_TIME),
    )


def _objective(found: object) -> Objective:
    if isinstance(found, str):
        if found not in ("makespan", "weighted_tardiness"):
            raise MalformedPlanError(
                "objective", "is makespan, weighted_tardiness, or weights of both"
            )
        return Objective(**{"makespan": 0, "weighted_tardiness": 0, found: 1})
    table = _table(found, "objective", {"makespan", "weighted_tardiness"})
    objective = Objective(
        **{
            key: _whole(table.get(key, 0), f"objective.{key}", 0, HEAVIEST_WEIGHT)
            for key in ("makespan", "weighted_tardiness")
        }
    )
    if not objective.makespan and not objective.weighted_tardiness:
        raise MalformedPlanError("objective", "has no weight above 0: nothing would be minimised")
    return objective


# --- JSON's own values ------------------------------------------------------------------------


def _named(
    table: dict[str, Any],
    key: str,
    most: int,
    read: Callable[[object, str, int], T],
    *,
    where: str = "",
    needed: bool = True,
) -> tuple[T, ...]:
    """Read a list of things, each with an id of its own."""
    path = f"{where}.{key}" if where else key
    listed = _list(
        _given(table, key, where or "plan") if needed else table.get(key, []), path, most
    )
    if needed and not listed:
        raise MalformedPlanError(path, "must not be empty")
    things: dict[str, T] = {}
    for index, each in enumerate(listed):
        thing = read(each, f"{path}[{index}]", index + 1)
        name = str(getattr(thing, "id"))  # noqa: B009  all that is read here has one
        if name in things:
            raise MalformedPlanError(f"{path}[{index}].id", f"{name!r} is another one's id, too")
        things[name] = thing
    return tuple(things.values())


def _id(table: dict[str, Any], where: str, number: int) -> str:
    """Return the thing's id; one without goes by its number, counted from 1."""
    return _word(table.get("id", str(number)), f"{where}.id")


def _given(table: dict[str, Any], key: str, where: str) -> object:
    if key not in table:
        raise MalformedPlanError(where, f"{key} is missing")
    return table[key]


def _table(found: object, where: str, keys: frozenset[str] | set[str]) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise MalformedPlanError(where, f"must be an object, not {_kind(found)}")
    for key in found:
        if key not in keys:
            known = ", ".join(sorted(keys))
            raise MalformedPlanError(where, f"{_short(key)} is not known here; known: {known}")
    return found


def _words(found: object, where: str, most: int) -> Mapping[str, Any]:
    """Return an object whose keys are names."""
    if not isinstance(found, dict):
        raise MalformedPlanError(where, f"must be an object, not {_kind(found)}")
    if len(found) > most:
        raise MalformedPlanError(where, f"has {len(found)} entries; {most} are the most")
    for key in found:
        _word(key, where)
    return found


def _list(found: object, where: str, most: int) -> list[Any]:
    if not isinstance(found, list):
        raise MalformedPlanError(where, f"must be a list, not {_kind(found)}")
    if len(found) > most:
        raise MalformedPlanError(where, f"has {len(found)} entries; {most} are the most")
    return found


def _word(found: object, where: str, *, empty: bool = False) -> str:
    if not isinstance(found, str):
        raise MalformedPlanError(where, f"must be a text, not {_kind(found)}")
    if not found and not empty:
        raise MalformedPlanError(where, "must not be empty")
    if len(found) > LONGEST_WORD:
        raise MalformedPlanError(where, f"is longer than {LONGEST_WORD} characters")
    return found


def _whole(found: object, where: str, low: int, high: int) -> int:
    if isinstance(found, bool) or not isinstance(found, int):
        raise MalformedPlanError(where, f"must be a whole number, not {_kind(found)}")
    if not low <= found <= high:
        raise MalformedPlanError(where, f"must be from {low} to {high}")
    return found


def _truth(found: object, where: str) -> bool:
    if not isinstance(found, bool):
        raise MalformedPlanError(where, f"must be true or false, not {_kind(found)}")
    return found


def _kind(found: object) -> str:
    """Name what was found, as people who write JSON would."""
    if isinstance(found, str | int | float | bool | None):
        return _short(found)
    return "a list" if isinstance(found, list) else "an object"


def _short(found: object) -> str:
    shown = "null" if found is None else repr(found)
    return shown if len(shown) <= 40 else f"{shown[:40]}…"
