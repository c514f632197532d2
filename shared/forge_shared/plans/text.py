"""Reads plans in the formats in which the field hands on its instances, told apart by content."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Final

from forge_shared.plans import fjsplib, jsplib, psplib
from forge_shared.plans.document import plan_from_json
from forge_shared.plans.model import MalformedPlanError, Plan
from forge_shared.plans.numbers import Lines, lines_of

LONGEST_TEXT: Final = 16 * 1024 * 1024


class Format(StrEnum):
    """JSPLIB: the classic job shop; FJSPLIB: with alternative machines; PSPLIB: project scheduling,
    `.sm` and `.mm`."""

    JSPLIB = "jsplib"
    FJSPLIB = "fjsplib"
    PSPLIB = "psplib"


def plan_from_text(text: str) -> Plan:
    """Return the plan; raises MalformedPlanError, which says in which line, and why."""
    lines = _lines(text)
    return _plan(lines, _format(lines))


def format_of_text(text: str) -> Format:
    """Return the format that a text seems to have, right or wrong in detail; raises
    MalformedPlanError."""
    return _format(_lines(text))


def _lines(text: str) -> Lines:
    if len(text) > LONGEST_TEXT:
        raise MalformedPlanError("text", f"is longer than {LONGEST_TEXT} characters")
    lines = lines_of(text)
    if not lines:
        raise MalformedPlanError("text", "is empty")
    content = text.removeprefix("\ufeff")
    if content.lstrip().startswith(("{", "[")):
        raise _json_fault(content)
    return lines


def _json_fault(text: str) -> MalformedPlanError:
    """Return what is wrong with a text that was meant as JSON: none of the formats begins so."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        return MalformedPlanError(where, f"is JSON that does not parse: {error.msg}")
    except (RecursionError, ValueError):
        return MalformedPlanError("text", "is JSON that is nested too deeply, or has huge numbers")
    return MalformedPlanError("text", "is JSON: give the plan itself in place of a text")


def _format(lines: Lines) -> Format:
    if psplib.looks_like(lines):
        return Format.PSPLIB
    header = lines[0].words
    # "jobs machines", and in FJSPLIB often the average count of alternatives behind them.
    if len(header) == 3:
        return Format.FJSPLIB
    if len(header) != 2:
        raise MalformedPlanError(
            f"line {lines[0].number}",
            "is neither the counts of jobs and machines, with which a job shop begins, nor the"
            " first line of a PSPLIB file",
        )
    return Format.JSPLIB if jsplib.looks_like(lines) else Format.FJSPLIB


def _plan(lines: Lines, kind: Format) -> Plan:
    read = {
        Format.JSPLIB: jsplib.document,
        Format.FJSPLIB: fjsplib.document,
        Format.PSPLIB: psplib.document,
    }[kind]
    try:
        return plan_from_json(read(lines))
    except MalformedPlanError as error:
        if error.where.startswith(("line", "text")):
            raise
        # Numbers that no line has wrong by itself, such as one that is too large.
        raise MalformedPlanError("text", f"as {kind.value}: {error}") from error
