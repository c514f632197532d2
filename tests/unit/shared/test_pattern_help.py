"""Whoever types something that does not match is told in words what it may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from forge_shared import codec, job_messages, messages
from forge_shared.job_messages import ClaimRequest, JobSubmission


def structs() -> list[type[msgspec.Struct]]:
    return [
        kind
        for module in (messages, job_messages)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        if kind is not msgspec.Struct
    ]


def patterns(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("pattern"), str):
            yield part["pattern"]
        for value in part.values():
            yield from patterns(value)
    elif isinstance(part, list):
        for value in part:
            yield from patterns(value)


def test_every_pattern_of_a_message_is_told_in_words() -> None:
    _, components = msgspec.json.schema_components(structs())
    found = set(patterns(components))
    assert len(found) > 5
    known = {*messages.PATTERN_HELP, *job_messages.JOB_PATTERN_HELP}
    assert found <= known, found - known
    for told in (*messages.PATTERN_HELP.values(), *job_messages.JOB_PATTERN_HELP.values()):
        assert "^" not in told
        assert "\\" not in told


@pytest.mark.parametrize(
    ("message", "body", "told"),
    [
        (JobSubmission, {"type": "No such"}, "type: a job type begins with a small letter"),
        (JobSubmission, {"type": "a", "id": "1"}, "id: must be a UUID in lower case"),
        (JobSubmission, {"type": "a", "name": "\x07"}, "name: a name is 1 to 64 characters"),
        (
            JobSubmission,
            {"type": "a", "requires": {"min_version": "new"}},
            "requires.min_version: a version is one to four numbers",
        ),
        (ClaimRequest, {"worker_id": "?", "types": []}, "worker_id: a worker's id begins"),
        (ClaimRequest, {"worker_id": "w", "types": ["A"]}, "types[0]: a job type, such as"),
    ],
)
def test_what_does_not_match_is_refused_in_words(
    message: type[Any], body: object, told: str
) -> None:
    with pytest.raises(codec.InvalidError) as refused:
        codec.decode(msgspec.json.encode(body), message)
    assert str(refused.value).startswith(told)
    assert "regex" not in str(refused.value)
