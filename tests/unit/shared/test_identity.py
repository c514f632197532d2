"""Credentials: minted once, known by their hash, and silent about their secret."""

from __future__ import annotations

import hashlib
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_shared import identity
from forge_shared.identity import Credential

NOW_MS = 1_800_000_000_000


def test_a_minted_credential_reads_back() -> None:
    minted = identity.mint("forge", NOW_MS)
    assert identity.parse(str(minted)) == minted
    assert len(bytes.fromhex(minted.secret)) == 32
    assert identity.matches(minted.secret, identity.secret_hash(minted.secret))


def test_no_two_are_alike() -> None:
    minted = [identity.mint("forge", NOW_MS) for _ in range(200)]
    assert len({one.id for one in minted}) == len({one.secret for one in minted}) == 200


def test_the_hash_is_blake2b() -> None:
    expected = hashlib.blake2b(b"a secret", digest_size=32).digest()
    assert identity.secret_hash("a secret") == expected


def test_another_secret_does_not_match() -> None:
    one, other = identity.mint("forge", NOW_MS), identity.mint("forge", NOW_MS)
    assert not identity.matches(other.secret, identity.secret_hash(one.secret))
    assert not identity.matches(one.secret, bytes(32))


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec=None)))
def test_any_text_hashes_and_matches_itself_alone(text: str) -> None:
    assert identity.matches(text, identity.secret_hash(text))
    assert not identity.matches(text + "x", identity.secret_hash(text))


def test_a_header_that_is_no_utf8_hashes_too() -> None:
    # aiohttp hands such bytes on as lone surrogates.
    assert len(identity.secret_hash("\udcff\udcfe")) == 32


def hex_digits(least: int, most: int) -> st.SearchStrategy[str]:
    """Draw one number: a digit at a time takes longer than all that is tried with them."""
    numbers = st.integers(0, 16**most - 1)
    return st.builds(
        lambda number, many: f"{number:0{most}x}"[:many], numbers, st.integers(least, most)
    )


nearly = st.builds(
    "{}_{}_{}".format, st.from_regex(r"[a-z]{0,6}"), hex_digits(30, 34), hex_digits(62, 66)
)


@settings(max_examples=300, deadline=None)
@given(st.text() | nearly)
def test_any_text_parses_or_does_not(text: str) -> None:
    parsed = identity.parse(text)
    assert parsed is None or str(parsed) == text


@pytest.mark.parametrize("change", [str.upper, lambda text: text + "\n", lambda text: " " + text])
def test_what_is_nearly_a_credential_is_none(change: object) -> None:
    assert callable(change)
    assert identity.parse(change(str(identity.mint("forge", NOW_MS)))) is None


def test_a_secret_never_shows_in_a_repr() -> None:
    minted = identity.mint("session", NOW_MS)
    assert minted.secret not in repr(minted)
    assert minted.secret not in repr([minted])
    assert minted.secret not in f"{minted!r}"


def test_uuid7_has_its_version_and_variant() -> None:
    for _ in range(200):
        made = uuid.UUID(identity.uuid7(NOW_MS))
        assert made.version == 7
        assert made.variant == uuid.RFC_4122
        assert made.int >> 80 == NOW_MS


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**48 - 2), st.integers(1, 10**9))
def test_uuid7_sorts_by_time(now_ms: int, later_ms: int) -> None:
    later = min(now_ms + later_ms, 2**48 - 1)
    assert identity.uuid7(now_ms) < identity.uuid7(later)


def test_a_code_can_be_typed_and_finds_its_record() -> None:
    codes = {identity.mint_code() for _ in range(200)}
    assert len(codes) == 200
    for code in codes:
        assert code.isascii()
        assert code.isalnum()
        assert code == code.lower()
        assert len(code) == 26
        assert str(uuid.UUID(identity.code_id(code))) == identity.code_id(code)
    assert len({identity.code_id(code) for code in codes}) == 200


def test_a_credential_is_found_by_a_dashed_id() -> None:
    credential = Credential("forge", identity.uuid7(NOW_MS), "ab" * 32)
    assert str(credential).count("_") == 2
    assert "-" not in str(credential)
    assert identity.parse(str(credential)) == credential


def test_ids_of_a_batch_follow_from_its_id_and_sort_by_their_numbers() -> None:
    batch_id, other = identity.uuid7(NOW_MS), identity.uuid7(NOW_MS)
    numbers = [1, 2, 3, 499, 2**22 - 1, 2**22, 2**32 - 1]
    ids = [identity.numbered(batch_id, number, b"{}") for number in numbers]
    assert ids == sorted(ids)
    assert ids == [identity.numbered(batch_id, number, b"{}") for number in numbers]
    assert not set(ids) & {identity.numbered(other, number, b"{}") for number in numbers}
    assert not set(ids) & {identity.numbered(batch_id, number, b"[]") for number in numbers}
    for one in map(uuid.UUID, ids):
        assert (one.version, one.variant) == (7, uuid.RFC_4122)
        assert one.int >> 80 == NOW_MS
