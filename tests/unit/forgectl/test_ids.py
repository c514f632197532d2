"""Which invite or token is meant by an id, or by the beginning of one."""

from __future__ import annotations

import re

import pytest

from forgectl import ids
from forgectl.client import ClientError

KNOWN = ("019a-b1", "019a-b2", "019a-b2-more", "feed-01")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("019a-b1", "019a-b1"),
        ("feed", "feed-01"),
        ("019a-b2", "019a-b2"),  # whole, though another begins with it
        ("019a-b2-", "019a-b2-more"),
    ],
)
def test_an_id_or_the_beginning_of_one_alone_is_meant(typed: str, meant: str) -> None:
    assert ids.meant(typed, KNOWN, "token") == meant


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("019a-b", "is the beginning of 3 tokens: give more"),
        ("beef", "There is no token 'beef', nor one whose id begins with it"),
        ("fee", "the first 4 characters"),
        ("", "There is no token ''"),
        ("../feed-01", "`forgectl tokens list` shows which there are"),
    ],
)
def test_what_could_be_several_or_is_none_is_refused(typed: str, said: str) -> None:
    with pytest.raises(ClientError, match=re.escape(said)):
        ids.meant(typed, KNOWN, "token")
