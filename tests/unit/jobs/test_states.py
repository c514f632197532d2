"""The state table, and the drawing of it in docs/jobs.md."""

from __future__ import annotations

import re
from pathlib import Path

from forge_collector.jobs import rules
from forge_collector.jobs.rules import Event
from forge_shared.job_messages import JobStatus

DOCUMENT = Path(__file__).parents[3] / "docs" / "jobs.md"


def test_the_drawing_is_the_table() -> None:
    (drawing,) = re.findall(
        r"```mermaid\nstateDiagram-v2\n(.*?)```", DOCUMENT.read_text(), re.DOTALL
    )
    first, drawn = set(), set()
    for line in drawing.strip().splitlines():
        if (begins := re.fullmatch(r"\s*\[\*\] --> (\w+)", line)) is not None:
            first.add(begins[1])
            continue
        arrow = re.fullmatch(r"\s*(\w+) --> (\w+): (.+)", line)
        assert arrow is not None, line
        drawn.add((arrow[1], arrow[3], arrow[2]))
    assert first == {status.value for status in rules.FIRST}
    assert drawn == {
        (one.before.value, one.event.value, one.after.value) for one in rules.TRANSITIONS
    }


def test_every_status_is_finished_or_not() -> None:
    assert set(JobStatus) == rules.FINISHED | rules.UNFINISHED
    assert not rules.FINISHED & rules.UNFINISHED


def test_every_status_can_be_reached_and_every_event_happens() -> None:
    assert rules.FIRST | {one.after for one in rules.TRANSITIONS} == set(JobStatus)
    assert {one.event for one in rules.TRANSITIONS} == set(Event)


def test_what_is_unfinished_can_end() -> None:
    can_end = set(rules.FINISHED)
    for _ in JobStatus:
        can_end |= {one.before for one in rules.TRANSITIONS if one.after in can_end}
    assert can_end == set(JobStatus)


def test_what_may_become_what() -> None:
    assert rules.may_become(None, JobStatus.PENDING)
    assert not rules.may_become(None, JobStatus.RUNNING)
    assert rules.may_become(JobStatus.RUNNING, JobStatus.PENDING)
    assert not rules.may_become(JobStatus.SUCCEEDED, JobStatus.PENDING)
    assert not rules.may_become(JobStatus.WAITING, JobStatus.RUNNING)


def test_what_may_be_retried() -> None:
    assert rules.sources(Event.RETRIED) == {JobStatus.FAILED, JobStatus.CANCELLED}
