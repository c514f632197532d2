"""Lines of words, which know where they stood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from forge_shared.plans.model import LONGEST_TIME, MalformedPlanError

_LONGEST_NUMBER: Final = 12


@dataclass(frozen=True, slots=True)
class Line:
    """``number`` counts from 1, as editors do."""

    number: int
    text: str
    words: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"line {self.number}"

    def whole(self, place: int) -> int:
        """Return the number at a place; raises MalformedPlanError where there is none."""
        if place >= len(self.words):
            raise MalformedPlanError(
                self.where, f"ends after {len(self.words)} of {place + 1} numbers or more"
            )
        return whole(self.words[place], self.where)

    def numbers(self) -> list[int]:
        return [whole(word, self.where) for word in self.words]


Lines = Sequence[Line]


def lines_of(text: str) -> list[Line]:
    """Return the lines that say something: neither empty ones nor comments."""
    found = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        words = tuple(line.split())
        if words and not words[0].startswith("#"):
            found.append(Line(number, line, words))
    return found


def whole(word: str, where: str) -> int:
    """Return a number that is not negative; raises MalformedPlanError for another word."""
    if len(word) > _LONGEST_NUMBER or not (word.isascii() and word.isdigit()):
        shown = word if len(word) <= 20 else f"{word[:20]}…"
        raise MalformedPlanError(where, f"{shown!r} is not a whole number")
    value = int(word)
    if value > LONGEST_TIME:
        raise MalformedPlanError(where, f"{value} is more than {LONGEST_TIME}")
    return value


def counts(lines: Lines) -> tuple[int, int, Lines]:
    """Return how many jobs and machines a job shop's first line promises, and the lines of its
    jobs; raises MalformedPlanError where there are not as many."""
    header = lines[0]
    jobs, machines = header.whole(0), header.whole(1)
    if jobs < 1 or machines < 1:
        raise MalformedPlanError(header.where, "promises no job, or no machine")
    rows = lines[1:]
    if len(rows) < jobs:
        raise MalformedPlanError(
            lines[-1].where, f"is the last, and {len(rows)} of {jobs} jobs are there"
        )
    if len(rows) > jobs:
        raise MalformedPlanError(rows[jobs].where, f"stands behind the last of {jobs} jobs")
    return jobs, machines, rows


def first_machine(used: set[int], machines: int, where: str) -> int:
    """Return whether machines are counted from 0 or from 1, by those in use."""
    first = 0 if 0 in used else 1
    if used and max(used) > machines - 1 + first:
        raise MalformedPlanError(
            where, f"promises {machines} machines, counted from {first}; {max(used)} is used"
        )
    return first


def shop(machines: int, jobs: list[list[dict[str, object]]]) -> dict[str, object]:
    """Return a job shop as a plan's document: machines and jobs go by their numbers."""
    return {
        "machines": [{"id": str(number)} for number in range(1, machines + 1)],
        "jobs": [
            {"id": str(number), "operations": operations}
            for number, operations in enumerate(jobs, start=1)
        ],
    }
