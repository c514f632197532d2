"""The flexible job shop, as FJSPLIB writes it: the counts of jobs and machines, often with the
average count of alternatives; then a line for each job: how many operations, and for each of them
how many alternatives, and machine and duration of each. Machines count from 1, or from 0."""

from __future__ import annotations

import re

from forge_shared.plans.model import MalformedPlanError
from forge_shared.plans.numbers import Line, Lines, counts, first_machine, shop

_Alternatives = list[tuple[int, int]]


def is_whole(row: Line) -> bool:
    """Return whether a line reads as a job in this format, from its first number to its last."""
    try:
        _job(row)
    except MalformedPlanError:
        return False
    return True


def document(lines: Lines) -> dict[str, object]:
    """Return it as a plan's document; raises MalformedPlanError."""
    _, machines, rows = counts(lines)
    _check_average(lines[0])
    table = [_job(row) for row in rows]
    used = {machine for job in table for alternatives in job for machine, _duration in alternatives}
    first = first_machine(used, machines, lines[0].where)
    jobs: list[list[dict[str, object]]] = [
        [{"modes": _modes(alternatives, first)} for alternatives in job] for job in table
    ]
    return shop(machines, jobs)


def _check_average(header: Line) -> None:
    """Files round it as they like, and so none is held to it; but it is a number."""
    for word in header.words[2:]:
        if not re.fullmatch(r"[0-9]{1,9}([.,][0-9]{0,9})?", word):
            raise MalformedPlanError(
                header.where, f"{word!r:.20} is no number, and so no average count of alternatives"
            )


def _modes(alternatives: _Alternatives, first: int) -> list[dict[str, object]]:
    return [
        {"machine": str(machine + 1 - first), "duration": duration}
        for machine, duration in alternatives
    ]


def _job(row: Line) -> list[_Alternatives]:
    operations: list[_Alternatives] = []
    place = 1
    promised = row.whole(0)
    if not promised:
        raise MalformedPlanError(row.where, "is a job without operations")
    while len(operations) < promised:
        count = row.whole(place)
        if not count:
            raise MalformedPlanError(
                row.where, f"operation {len(operations) + 1} has no machine to be done on"
            )
        end = place + 1 + 2 * count
        if end > len(row.words):
            raise MalformedPlanError(
                row.where,
                f"ends within operation {len(operations) + 1} of {promised}, which has {count}"
                " alternatives",
            )
        operations.append([(row.whole(at), row.whole(at + 1)) for at in range(place + 1, end, 2)])
        place = end
    if place < len(row.words):
        raise MalformedPlanError(
            row.where, f"goes on behind its {promised} operations with {row.words[place]!r:.20}"
        )
    return operations
