"""A plan as its schedule must keep it, straight from the payload's JSON."""

from __future__ import annotations

from typing import Any, NamedTuple

Key = tuple[str, str]  # a job's id, and an operation's
Intervals = list[tuple[int, int]]


class Mode(NamedTuple):
    """``machines``: none, where it takes no time."""

    duration: int
    machines: list[str]
    demands: dict[str, int]


class Operation(NamedTuple):
    """``after``: what must have ended, and how long before."""

    modes: list[Mode]
    after: list[tuple[Key, int]]
    family: str | None
    pausable: bool


class Job(NamedTuple):
    name: str
    release: int
    due: int | None
    deadline: int | None
    weight: int


class Machine(NamedTuple):
    name: str
    unavailable: Intervals
    setup_times: dict[str, dict[str, int]]


class Resource(NamedTuple):
    name: str
    capacity: int
    renewable: bool


class Plan(NamedTuple):
    machines: dict[str, Machine]
    resources: dict[str, Resource]
    jobs: dict[str, Job]
    operations: dict[Key, Operation]
    weights: tuple[int, int]  # of makespan, and of weighted tardiness
    time_unit: str


def plan_of(payload: Any) -> Plan:
    """Return the plan of a payload. One that is malformed raises what comes of it."""
    if "text" in payload:
        payload = _from_text(payload["text"])
    machines = {each["id"]: _machine(each) for each in _numbered(payload.get("machines", []))}
    resources = {
        each["id"]: Resource(
            each.get("name", each["id"]), each["capacity"], each.get("renewable", True)
        )
        for each in _numbered(payload.get("resources", []))
    }
    jobs: dict[str, Job] = {}
    operations: dict[Key, Operation] = {}
    for job in _numbered(payload["jobs"]):
        jobs[job["id"]] = Job(
            job.get("name", job["id"]),
            job.get("release", 0),
            job.get("due"),
            job.get("deadline"),
            job.get("weight", 1),
        )
        operations |= _operations(job)
    weights = payload.get("objective", "makespan")
    if isinstance(weights, str):
        weights = {weights: 1}
    return Plan(
        machines,
        resources,
        jobs,
        operations,
        (weights.get("makespan", 0), weights.get("weighted_tardiness", 0)),
        payload.get("time_unit", "1"),
    )


def union(intervals: Intervals) -> Intervals:
    """Return the same times in intervals that are apart from one another, in order."""
    apart: Intervals = []
    for start, end in sorted(intervals):
        if apart and start <= apart[-1][1]:
            since, until = apart[-1]
            apart[-1] = (since, max(until, end))
        else:
            apart.append((start, end))
    return apart


def _from_text(text: str) -> Any:
    # All that is shared with the solver: what a file of the field means can be checked by no
    # schedule. A mistake here is one of both. What comes of it is read as any other JSON.
    from forge_shared.plans.model import plan_to_json  # noqa: PLC0415
    from forge_shared.plans.text import plan_from_text  # noqa: PLC0415

    return plan_to_json(plan_from_text(text))


def _numbered(things: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give those without an id their number for one."""
    return [{"id": str(number), **each} for number, each in enumerate(things, start=1)]


def _machine(found: dict[str, Any]) -> Machine:
    unavailable = [(start, end) for start, end in found.get("unavailable", [])]
    return Machine(
        found.get("name", found["id"]), union(unavailable), found.get("setup_times") or {}
    )


def _operations(job: dict[str, Any]) -> dict[Key, Operation]:
    operations: dict[Key, Operation] = {}
    before: Key | None = None
    for each in _numbered(job["operations"]):
        if "after" in each:
            after = [_after(one, job["id"]) for one in each["after"]]
        else:
            after = [] if before is None else [(before, 0)]
        before = (job["id"], each["id"])
        operations[before] = Operation(
            [_mode(one) for one in each.get("modes", [each])],
            after,
            each.get("family"),
            each.get("pausable", False),
        )
    return operations


def _after(found: Any, job: str) -> tuple[Key, int]:
    if isinstance(found, str):
        return (job, found), 0
    return (found.get("job", job), found["operation"]), found.get("lag", 0)


def _mode(found: dict[str, Any]) -> Mode:
    duration = found["duration"]
    machines = [found["machine"]] if "machine" in found else found.get("machines", [])
    return Mode(duration, machines if duration else [], found.get("demands", {}))
