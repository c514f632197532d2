"""Join strings survive being copied, and say so when they did not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_shared import identity, joining
from forge_shared.joining import JoinString, JoinStringError

CODE = identity.mint_code()
FINGERPRINT = bytes(range(32))
URL = "https://192.168.1.10:8750"

urls = st.sampled_from(
    [URL, "http://[fe80::1]:8750", "https://fleet.example.org", "https://a.example.org/fleet"]
)


@given(urls, st.none() | st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16))
def test_what_goes_in_comes_out(url: str, fingerprint: bytes | None, code: bytes) -> None:
    joined = JoinString(url, fingerprint, joining._code_text(code))
    text = str(joined)
    assert joining.parse(text) == joined
    assert text.isascii()
    assert " " not in text


@pytest.mark.parametrize("ending", ["\n", "  ", "\r\n"])
def test_line_breaks_do_no_harm(ending: str) -> None:
    text = str(JoinString(URL, FINGERPRINT, CODE))
    assert joining.parse(f" {text[:40]}{ending}{text[40:]}{ending}").code == CODE


@given(st.integers(0, 500), st.sampled_from("AZaz09-_"))
def test_any_letter_changed_is_told(place: int, letter: str) -> None:
    text = str(JoinString(URL, FINGERPRINT, CODE))
    place = len(joining.PREFIX) + place % (len(text) - len(joining.PREFIX) - 1)
    mistyped = text[:place] + letter + text[place + 1 :]
    if mistyped != text:
        with pytest.raises(JoinStringError):
            joining.parse(mistyped)


@given(st.integers(0, 500))
def test_a_part_is_told_from_the_whole(length: int) -> None:
    text = str(JoinString(URL, FINGERPRINT, CODE))
    with pytest.raises(JoinStringError):
        joining.parse(text[: length % len(text)])


@given(st.text())
def test_anything_else_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(JoinStringError):
        joining.parse(text)


def test_a_code_that_was_minted_is_one() -> None:
    assert joining.is_code(CODE)
    assert not joining.is_code(CODE + "\n")


def test_the_code_is_not_shown_in_tracebacks() -> None:
    assert CODE not in repr(JoinString(URL, FINGERPRINT, CODE))


def test_fingerprints_are_grouped_for_people() -> None:
    assert joining.grouped(FINGERPRINT).startswith("0001 0203 0405")
