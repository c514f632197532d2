"""The best schedule and bound so far, for the next attempt, which may be on another machine."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

from forge_prodplan.schedule import Schedule, Scheduled, result, worth
from forge_shared.plans.model import Plan
from prodplan_check.checking import problem_of

_VERSION: Final = 1


class Checkpoint(NamedTuple):
    """``spent_s``: how long attempts have searched so far. ``bound``: what they proved that no
    schedule can be better than."""

    schedule: Schedule | None
    spent_s: float
    bound: int = 0


def to_json(checkpoint: Checkpoint) -> dict[str, Any]:
    schedule = checkpoint.schedule
    return {
        "version": _VERSION,
        "spent_s": round(checkpoint.spent_s, 1),
        "bound": checkpoint.bound,
        "tasks": schedule and [[task.mode, task.start, task.end] for task in schedule],
    }


def from_json(document: object, plan: Plan, payload: object) -> Checkpoint:
    """Return what a checkpoint holds; raises ValueError, with a sentence, when it is not right for
    this plan."""
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise ValueError("it is not of this version")
    spent_s = document.get("spent_s")
    if isinstance(spent_s, bool) or not isinstance(spent_s, int | float):
        raise ValueError("it does not tell the time that was spent")  # noqa: TRY004  its content
    if not math.isfinite(spent_s) or spent_s < 0:
        raise ValueError("the time that was spent is none")
    bound = _bound(document.get("bound"))
    if document.get("tasks") is None:
        return Checkpoint(None, spent_s, bound)
    schedule = _schedule(document["tasks"], plan)
    problem = problem_of(payload, result(plan, schedule, 0))
    if problem is not None:
        raise ValueError(problem)
    # The schedule was checked, a bound cannot be.
    is_possible = bound <= worth(plan, schedule).objective
    return Checkpoint(schedule, spent_s, bound if is_possible else 0)


def _bound(bound: object) -> int:
    """Return 0, which is always true, in place of what is none."""
    return bound if type(bound) is int and bound > 0 else 0


def _schedule(tasks: object, plan: Plan) -> Schedule:
    operations = [operation for _, operation in plan.operations()]
    if not isinstance(tasks, list) or len(tasks) != len(operations):
        raise ValueError("it is of another plan")
    found = []
    for task, operation in zip(tasks, operations, strict=True):
        whole = (
            isinstance(task, list) and len(task) == 3 and all(type(each) is int for each in task)
        )
        if not whole or not 0 <= task[0] < len(operation.modes):
            raise ValueError("it is of another plan")
        found.append(Scheduled(*task))
    return tuple(found)
