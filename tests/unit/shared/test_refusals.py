"""What a message is refused for is said in words that people know."""

from __future__ import annotations

from typing import Annotated

import pytest
from msgspec import Meta, Struct, field

from forge_shared import codec
from forge_shared.codec import InvalidError, MalformedError
from forge_shared.job_messages import JobStatus, JobType, Slots


class Wish(Struct, forbid_unknown_fields=True):
    """Some of everything."""

    count: Annotated[int, Meta(ge=1, le=2000)] = 1
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    word: Annotated[str, Meta(min_length=1, max_length=3)] | None = None
    words: Annotated[list[str], Meta(max_length=2)] = field(default_factory=list)
    slots: Slots = field(default_factory=dict)
    type: JobType = "echo"
    status: JobStatus = JobStatus.PENDING
    is_late: bool = False


class Wishes(Struct):
    by_name: dict[str, Wish]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"count": 2001}', "count: must be a whole number, 2,000 at most"),
        ('{"count": 0}', "count: must be a whole number, 1 at least"),
        ('{"count": 1.5}', "count: must be a whole number, not one with decimals"),
        ('{"count": "1"}', "count: must be a whole number, not a text"),
        ('{"share": 0}', "share: must be a number, more than 0"),
        ('{"share": 1}', "share: must be a number, less than 1"),
        ('{"word": 1}', "word: must be a text or null, not a number"),
        ('{"word": ""}', "word: must not be empty"),
        ('{"word": "long"}', "word: must be a text of at most 3 characters"),
        ('{"words": ["a", "b", "c"]}', "words: must be a list of at most 2 entries"),
        ('{"words": ["a", null]}', "words[1]: must be a text, not null"),
        ('{"slots": {"cpu": -1}}', "slots: each value in it must be a whole number, 0 at least"),
        ('{"slots": {"gpu": 1}}', "slots: each key in it must be one that is known, and 'gpu'"),
        ('{"status": "lost"}', "status: must be one that is known, and 'lost' is not"),
        ('{"type": "A B"}', "type: a job type begins with a small letter or digit"),
        ('{"is_late": 1}', "is_late: must be true or false, not a number"),
        ('{"colour": 1}', "colour: there is no such field"),
        ("[]", "body: must be an object, not a list"),
    ],
)
def test_a_field_that_is_wrong(body: str, told: str) -> None:
    with pytest.raises(InvalidError) as caught:
        codec.decode(body.encode(), Wish)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{}", "by_name: is missing"),
        ('{"by_name": {"a": {"count": 0}}}', "by_name: in each value in it, count: must be a"),
        ('{"by_name": {"a": {"colour": 0}}}', "by_name: in each value in it, colour: there is no"),
    ],
)
def test_a_field_within_others(body: str, told: str) -> None:
    with pytest.raises(InvalidError) as caught:
        codec.decode(body.encode(), Wishes)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b" ", "it is empty"),
        (b'{"word": "a', "it ends too soon"),
        (rb'{"word": "\ud83d"}', "it has half of a surrogate pair (byte 10)"),
        (rb'{"word": "\ud83d\ude00", "type": "', "it ends too soon"),
        (b'{"word": "a",}', "trailing comma in object (byte 13)"),
        (b'{"word": "\xff"}', "it is not UTF-8 (byte 10)"),
    ],
)
def test_what_is_no_json(body: bytes, told: str) -> None:
    with pytest.raises(MalformedError) as caught:
        codec.decode(body, Wish)
    assert str(caught.value) == f"The body is not valid JSON: {told}."
