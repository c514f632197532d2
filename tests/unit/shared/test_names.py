"""Node ids, and the one nearest to a host name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_shared import names


@pytest.mark.parametrize("text", ["a", "9", "nas-2", "web.example.org", "A_b-C.1", "x" * 64])
def test_a_node_id(text: str) -> None:
    assert names.is_node_id(text)


@pytest.mark.parametrize(
    "text", ["", "-a", ".a", "_a", "a b", "a/b", "a\n", "ä", "x" * 65, "a%20", "..", "\u0661"]
)
def test_no_node_id(text: str) -> None:
    assert not names.is_node_id(text)


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_every_host_name_has_a_node_id(hostname: str) -> None:
    assert names.is_node_id(names.node_id_from(hostname))


@settings(max_examples=200, deadline=None)
@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", fullmatch=True))
def test_a_host_name_that_is_a_node_id_stays_as_it_is(hostname: str) -> None:
    assert names.node_id_from(hostname) == hostname


@settings(max_examples=200, deadline=None)
@given(st.from_regex(names.NODE_ID_PATTERN, fullmatch=True), st.integers(2, 999))
def test_a_number_fits_behind_every_node_id(node_id: str, number: int) -> None:
    numbered = names.with_suffix(node_id, f"-{number}")
    assert names.is_node_id(numbered)
    assert numbered.endswith(f"-{number}")


@pytest.mark.parametrize(
    ("hostname", "expected"),
    [("Ann's MacBook", "Ann-s-MacBook"), ("--x--", "x"), ("…", "node"), ("", "node")],
)
def test_by_example(hostname: str, expected: str) -> None:
    assert names.node_id_from(hostname) == expected
