"""Project scheduling, as PSPLIB and MMLIB write it (`.sm`, `.mm`): activities with precedence,
in one mode or several, and resources that are renewable or used up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from forge_shared.plans.model import MalformedPlanError
from forge_shared.plans.numbers import Line, Lines, whole

_PRECEDENCE: Final = "PRECEDENCE RELATIONS"
_REQUESTS: Final = "REQUESTS/DURATIONS"
_CAPACITIES: Final = ("RESOURCEAVAILABILITIES", "RESOURCE AVAILABILITIES")
_PROJECT: Final = "project"
_KINDS: Final = ("renewable", "nonrenewable", "doubly constrained")

_Mode = dict[str, object]


def looks_like(lines: Lines) -> bool:
    return any(_is_title(line, _PRECEDENCE) for line in lines)


def document(lines: Lines) -> dict[str, object]:
    """Return it as a plan's document; raises MalformedPlanError."""
    kinds = _kinds(lines)
    successors, asked = _successors(_section(lines, _PRECEDENCE))
    _check_count(lines, len(successors))
    capacities = _capacities(lines, kinds)
    modes = _modes(_section(lines, _REQUESTS), asked, kinds)
    before: dict[int, list[str]] = {number: [] for number in successors}
    for number, line_of in successors.items():
        for successor in line_of:
            before[successor].append(str(number))
    return {
        "resources": [
            {"id": name, "capacity": capacity, "renewable": name.startswith("R")}
            for name, capacity in zip(kinds, capacities, strict=True)
        ],
        "jobs": [
            {
                "id": _PROJECT,
                "operations": [
                    {"id": str(number), "modes": modes[number], "after": before[number]}
                    for number in successors
                ],
            }
        ],
    }


def _kinds(lines: Lines) -> list[str]:
    """Return the resources' names, in the order of the columns."""
    found = dict.fromkeys(_KINDS, 0)
    for line in lines:
        told = re.match(r"\s*-\s*(renewable|nonrenewable|doubly constrained)\s*:", line.text)
        if told:
            found[told[1]] = whole((line.text[told.end() :].split() or [""])[0], line.where)
            if told[1] == "doubly constrained" and found[told[1]]:
                raise MalformedPlanError(line.where, "doubly constrained resources are not known")
            if found[told[1]] > 1000:
                raise MalformedPlanError(line.where, "promises more than 1000 resources")
    return [f"R{number + 1}" for number in range(found["renewable"])] + [
        f"N{number + 1}" for number in range(found["nonrenewable"])
    ]


def _check_count(lines: Lines, count: int) -> None:
    """Hold the file to how many activities it promises, its source and its sink among them."""
    for line in lines:
        if (told := re.match(r"\s*jobs\s*\([^)]*\)\s*:", line.text)) is None:
            continue
        promised = whole((line.text[told.end() :].split() or [""])[0], line.where)
        if promised != count:
            raise MalformedPlanError(
                line.where, f"promises {promised} activities, and {count} are there"
            )


def _section(lines: Lines, *titles: str) -> Iterator[Line]:
    """Yield a section's rows of numbers: what is between its title and the next one."""
    begin = _begin(lines, *titles)
    for line in lines[begin + 1 :]:
        if line.text.strip().endswith(":") and line.words[0][0].isalpha():
            return
        if line.words[0].isdigit():
            yield line


def _begin(lines: Lines, *titles: str) -> int:
    for index, line in enumerate(lines):
        if _is_title(line, *titles):
            return index
    raise MalformedPlanError(lines[-1].where, f"is the last, and {titles[0]} is missing")


def _is_title(line: Line, *titles: str) -> bool:
    return line.text.strip().upper().startswith(titles)


def _successors(rows: Iterator[Line]) -> tuple[dict[int, list[int]], dict[int, int]]:
    """Return each activity's successors, and how many modes it should have."""
    successors: dict[int, list[int]] = {}
    asked: dict[int, int] = {}
    where: dict[int, str] = {}
    for row in rows:
        number, asked_here, count, *following = [*row.numbers(), *[0] * (3 - len(row.words))]
        if len(row.words) < 3 or len(following) != count:
            raise MalformedPlanError(
                row.where, f"promises {count} successors, and names {len(following)}"
            )
        if number in successors:
            raise MalformedPlanError(row.where, f"activity {number} was there already")
        successors[number], asked[number], where[number] = following, asked_here, row.where
    for number, following in successors.items():
        for successor in following:
            if successor not in successors:
                raise MalformedPlanError(where[number], f"there is no activity {successor}")
    if not successors:
        raise MalformedPlanError("text", "has no activities")
    return successors, asked


def _modes(rows: Iterator[Line], asked: dict[int, int], kinds: list[str]) -> dict[int, list[_Mode]]:
    modes: dict[int, list[_Mode]] = {number: [] for number in asked}
    current = None
    last = "text"
    for row in rows:
        numbers, last = row.numbers(), row.where
        # An activity's first mode names it: number, mode, duration, amounts; others do not.
        if len(numbers) == 3 + len(kinds):
            current, *numbers = numbers
        elif current is None:
            raise MalformedPlanError(
                row.where,
                f"has {len(numbers)} numbers; an activity's first mode has {3 + len(kinds)}, with"
                f" an amount of each of the {len(kinds)} resources",
            )
        if current not in modes:
            raise MalformedPlanError(row.where, f"there is no activity {current}")
        if len(numbers) != 2 + len(kinds):
            raise MalformedPlanError(
                row.where,
                f"has {len(row.words)} numbers; a mode has a duration and {len(kinds)} amounts",
            )
        if len(modes[current]) == asked[current]:
            raise MalformedPlanError(
                row.where,
                f"is one more mode of activity {current} than the {asked[current]} promised, or"
                " lacks a number",
            )
        _, duration, *amounts = numbers
        demands = {name: amount for name, amount in zip(kinds, amounts, strict=True) if amount}
        modes[current].append({"duration": duration, "demands": demands})
    for number, count in asked.items():
        if len(modes[number]) != count or not count:
            raise MalformedPlanError(
                last,
                f"activity {number} has {len(modes[number])} modes, and {count} were promised",
            )
    return modes


def _capacities(lines: Lines, kinds: list[str]) -> list[int]:
    if not kinds and not any(_is_title(line, *_CAPACITIES) for line in lines):
        return []
    _check_columns(lines[_begin(lines, *_CAPACITIES) + 1 :], kinds)
    rows = list(_section(lines, *_CAPACITIES))
    for row in rows[1:]:
        raise MalformedPlanError(row.where, "stands behind the capacities, which are one line")
    for row in rows:
        if len(row.words) != len(kinds):
            raise MalformedPlanError(
                row.where,
                f"has {len(row.words)} capacities; {len(kinds)} resources were promised",
            )
        return row.numbers()
    if kinds:
        raise MalformedPlanError(lines[-1].where, "is the last, and the capacities are missing")
    return []


def _check_columns(behind_title: Lines, kinds: list[str]) -> None:
    """Hold the file to how many resources of each kind it promises, by the columns' names."""
    for line in behind_title[:1]:
        named = "".join(re.findall(r"\b([RN])\s*\d+\b", line.text))
        promised = "".join(kind[0] for kind in kinds)
        if named and named != promised:
            raise MalformedPlanError(
                line.where,
                f"names {_by_kind(named)} resources; {_by_kind(promised)} were promised",
            )


def _by_kind(letters: str) -> str:
    return f"{letters.count('R')} renewable and {letters.count('N')} nonrenewable"
