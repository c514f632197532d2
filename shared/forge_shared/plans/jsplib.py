"""The classic job shop, as JSPLIB writes it: a line with the counts of jobs and machines, then a
line for each job, with machine and duration of each of its operations. Machines count from 0."""

from __future__ import annotations

from forge_shared.plans import fjsplib
from forge_shared.plans.model import MalformedPlanError
from forge_shared.plans.numbers import Line, Lines, counts, first_machine, shop


def looks_like(lines: Lines) -> bool:
    """Return whether most of a job shop's lines are as they are in this format."""
    rows, machines = lines[1:], lines[0].words[1]
    fitting = sum(
        str(len(row.words) // 2) == machines or _is_each_machine_once(row) for row in rows
    )
    # A flexible job shop may have such lines by chance.
    return 2 * fitting > len(rows) and not all(fjsplib.is_whole(row) for row in rows)


def _is_each_machine_once(row: Line) -> bool:
    """Return whether a line is a job of this format, however many machines are promised."""
    return len(row.words) % 2 == 0 and len(set(row.words[::2])) == len(row.words) // 2


def document(lines: Lines) -> dict[str, object]:
    """Return it as a plan's document; raises MalformedPlanError."""
    _, machines, rows = counts(lines)
    for row in rows:
        if len(row.words) != 2 * machines:
            raise MalformedPlanError(
                row.where,
                f"has {len(row.words)} numbers; a job on {machines} machines has {2 * machines}",
            )
    table = [row.numbers() for row in rows]
    used = {machine for row in table for machine in row[::2]}
    first = first_machine(used, machines, lines[0].where)
    jobs: list[list[dict[str, object]]] = [
        [
            {"machine": str(machine + 1 - first), "duration": duration}
            for machine, duration in zip(row[::2], row[1::2], strict=True)
        ]
        for row in table
    ]
    return shop(machines, jobs)
