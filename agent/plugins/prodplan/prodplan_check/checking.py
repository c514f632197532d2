"""Every constraint of a plan, held against a schedule of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from prodplan_check.plans import Intervals, Key, Mode, Operation, Plan, plan_of, union


class Task(NamedTuple):
    """An operation as it was scheduled, in the mode that was chosen."""

    key: Key
    operation: Operation
    mode: Mode
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.key[0]}/{self.key[1]}"


def problem_of(payload: Any, result: Any) -> str | None:
    """Return why a result is no right one for a payload, or None."""
    try:
        plan = plan_of(payload)
    except Exception as error:  # noqa: BLE001  whatever a malformed plan comes to
        return f"the plan cannot be read: {type(error).__name__}: {error}"
    try:
        return next(_problems(plan, result), None)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return f"the result has not the form of one: {type(error).__name__}: {error}"


def _problems(plan: Plan, result: Any) -> Iterator[str]:
    tasks: list[Task] = []
    for problem in _take_tasks(plan, result["tasks"], tasks):
        yield problem
        return  # what follows needs them all
    for task in tasks:
        yield from _timing(plan, task)
    yield from _precedence(tasks)
    yield from _machines(plan, tasks, {_key(each): each for each in result["tasks"]})
    yield from _resources(plan, tasks)
    yield from _deadlines(plan, tasks)
    yield from _description(plan, tasks, result)
    yield from _worth(plan, tasks, result)


# --- each operation by itself -----------------------------------------------------------------


def _take_tasks(plan: Plan, found: Any, tasks: list[Task]) -> Iterator[str]:
    """Every operation once, none that the plan has not, in one of its modes."""
    seen: set[Key] = set()
    ids: set[str] = set()
    for each in found:
        key = _key(each)
        operation = plan.operations.get(key)
        if operation is None:
            yield f"the plan has no operation {key[0]}/{key[1]}"
            return
        if key in seen or each["id"] in ids:
            yield f"{key[0]}/{key[1]} is there twice, or its id {each['id']}"
        seen.add(key)
        ids.add(each["id"])
        mode, start, end = (_whole(each[name], name) for name in ("mode", "start", "end"))
        if not 0 <= mode < len(operation.modes):
            yield f"{key[0]}/{key[1]} has no mode {mode}"
            return
        task = Task(key, operation, operation.modes[mode], start, end)
        if list(each["machines"]) != task.mode.machines:
            yield f"{task} is on {each['machines']}, and its mode on {task.mode.machines}"
        if each["demands"] != task.mode.demands:
            yield f"{task} takes {each['demands']}, and its mode {task.mode.demands}"
        tasks.append(task)
    for key in plan.operations.keys() - seen:
        yield f"operation {key[0]}/{key[1]} is missing"


def _timing(plan: Plan, task: Task) -> Iterator[str]:
    """It starts when it may, takes as long as its mode, and only while its machines are there."""
    job = plan.jobs[task.key[0]]
    if task.start < max(0, job.release):
        yield f"{task} starts at {task.start}, before its release at {job.release}"
    breaks = union(
        [each for machine in task.mode.machines for each in plan.machines[machine].unavailable]
    )
    pause = _overlap(breaks, task.start, task.end)
    if task.operation.pausable:
        if task.end - task.start - pause != task.mode.duration:
            yield (
                f"{task} works {task.end - task.start - pause} between {task.start} and {task.end},"
                f" and must {task.mode.duration}"
            )
        if pause and any(
            start <= task.start < end or start < task.end <= end for start, end in breaks
        ):
            yield f"{task} starts or ends while a machine is unavailable"
    else:
        if task.end - task.start != task.mode.duration:
            yield f"{task} takes {task.end - task.start}, and must {task.mode.duration}"
        if pause:
            yield f"{task} is on a machine while it is unavailable"


def _overlap(intervals: Intervals, start: int, end: int) -> int:
    return sum(max(0, min(end, until) - max(start, since)) for since, until in intervals)


# --- operations together ----------------------------------------------------------------------


def _precedence(tasks: list[Task]) -> Iterator[str]:
    ends = {task.key: task.end for task in tasks}
    for task in tasks:
        for before, lag in task.operation.after:
            if task.start < ends[before] + lag:
                yield (
                    f"{task} starts at {task.start}; {before[0]}/{before[1]} ends at"
                    f" {ends[before]}, and {lag} must be between them"
                )


def _machines(plan: Plan, tasks: list[Task], told: dict[Key, Any]) -> Iterator[str]:
    """One after the other, with time to set up before, while the machine is there."""
    setups = dict.fromkeys((task.key for task in tasks), 0)
    for name, machine in plan.machines.items():
        there = sorted((task for task in tasks if name in task.mode.machines), key=_start)
        for before, after in pairwise(there):
            row = machine.setup_times.get(before.operation.family or "", {})
            setup = row.get(after.operation.family or "", 0)
            setups[after.key] = max(setups[after.key], setup)
            if after.start < before.end + setup:
                yield (
                    f"machine {name}: {after} starts at {after.start}; {before} ends at"
                    f" {before.end}, and setting up takes {setup}"
                )
            if _overlap(machine.unavailable, after.start - setup, after.start):
                yield f"machine {name}: it is set up for {after} while it is unavailable"
    for key, setup in setups.items():
        if _whole(told[key]["setup"], "setup") != setup:
            yield f"{key[0]}/{key[1]} tells a set-up of {told[key]['setup']}, and needs {setup}"


def _resources(plan: Plan, tasks: list[Task]) -> Iterator[str]:
    for name, resource in plan.resources.items():
        needing = [task for task in tasks if task.mode.demands.get(name, 0)]
        if not resource.renewable:
            total = sum(task.mode.demands[name] for task in needing)
            if total > resource.capacity:
                yield f"{total} of {name} are used up, and there are {resource.capacity}"
            continue
        # What ends at a moment is free for what starts at it: -amount sorts before +amount.
        changes = sorted(
            change
            for task in needing
            if task.end > task.start
            for change in (
                (task.start, task.mode.demands[name]),
                (task.end, -task.mode.demands[name]),
            )
        )
        used = 0
        for moment, change in changes:
            used += change
            if used > resource.capacity:
                yield f"{used} of {name} are in use at {moment}; there are {resource.capacity}"


def _deadlines(plan: Plan, tasks: list[Task]) -> Iterator[str]:
    for task in tasks:
        deadline = plan.jobs[task.key[0]].deadline
        if deadline is not None and task.end > deadline:
            yield f"{task} ends at {task.end}, after its job's deadline at {deadline}"


# --- what the result says of all that ---------------------------------------------------------


def _description(plan: Plan, tasks: list[Task], result: Any) -> Iterator[str]:
    machines = [
        {"id": key, "name": each.name, "unavailable": [list(one) for one in each.unavailable]}
        for key, each in plan.machines.items()
    ]
    resources = [{"id": key, **each._asdict()} for key, each in plan.resources.items()]
    ends = _ends(plan, tasks)
    jobs = [
        {
            "id": key,
            "name": job.name,
            "due": job.due,
            "release": job.release,
            "weight": job.weight,
            "end": ends[key],
            "tardiness": _tardiness(job.due, ends[key]),
        }
        for key, job in plan.jobs.items()
    ]
    for name, true in (("machines", machines), ("resources", resources), ("jobs", jobs)):
        for told, right in zip(result[name], true, strict=True):
            if told != right:
                yield f"{name} are told otherwise than they are: {told}, not {right}"
    if result["time_unit"] != plan.time_unit:
        yield f"the time unit is {plan.time_unit}, not {result['time_unit']}"


def _worth(plan: Plan, tasks: list[Task], result: Any) -> Iterator[str]:
    ends = _ends(plan, tasks)
    makespan = max(ends.values())
    tardiness = sum(job.weight * _tardiness(job.due, ends[key]) for key, job in plan.jobs.items())
    objective = plan.weights[0] * makespan + plan.weights[1] * tardiness
    right = {"makespan": makespan, "weighted_tardiness": tardiness}
    if result["objectives"] != right:
        yield f"the objectives are {right}, not {result['objectives']}"
    if _whole(result["horizon"], "horizon") != makespan:
        yield f"the horizon is {makespan}, not {result['horizon']}"
    if _whole(result["objective"], "objective") != objective:
        yield f"the objective is {objective}, not {result['objective']}"
    bound = _whole(result["bound"], "bound")
    if not 0 <= bound <= objective:
        yield f"no schedule could be worth less than {bound}, and this one is worth {objective}"
    if result["status"] not in ("optimal", "feasible"):
        yield f"the status is {result['status']!r}"
    if (result["status"] == "optimal") != (bound == objective):
        yield f"the status is {result['status']}, at {objective} with a bound of {bound}"


def _ends(plan: Plan, tasks: list[Task]) -> dict[str, int]:
    return {job: max(task.end for task in tasks if task.key[0] == job) for job in plan.jobs}


def _tardiness(due: int | None, end: int) -> int:
    return 0 if due is None else max(0, end - due)


def _key(found: Any) -> Key:
    return found["job"], found["operation"]


def _start(task: Task) -> int:
    return task.start


def _whole(value: Any, name: str) -> int:
    if type(value) is not int:
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    return value
