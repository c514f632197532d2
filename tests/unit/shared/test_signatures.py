"""Ed25519 against the vectors of RFC 8032, and what becomes of keys that are none."""

from __future__ import annotations

import base64

import pytest

from forge_shared import signatures
from forge_shared.signatures import KeyTextError

# RFC 8032, section 7.1, TEST 2: secret key, public key, message, signature.
SECRET = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
MESSAGE = bytes.fromhex("72")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def text(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def test_it_is_ed25519() -> None:
    pair = signatures.pair_of(text(SECRET))
    assert pair.public == text(PUBLIC)
    assert signatures.sign(MESSAGE, pair.private) == SIGNATURE
    assert signatures.is_signed(MESSAGE, SIGNATURE, [text(PUBLIC)])


def test_any_of_several_keys_will_do_and_no_other() -> None:
    ours, other, third = (signatures.make_keys() for _ in range(3))
    signature = signatures.sign(b"release", ours.private)
    assert signatures.is_signed(b"release", signature, [other.public, ours.public])
    assert not signatures.is_signed(b"release", signature, [other.public, third.public])
    assert not signatures.is_signed(b"release", signature, [])
    assert not signatures.is_signed(b"Release", signature, [ours.public])
    for cut in (b"", signature[:-1], signature + b"\0", bytes(64)):
        assert not signatures.is_signed(b"release", cut, [ours.public])


@pytest.mark.parametrize("key", ["", "no key", text(PUBLIC)[:-4], text(PUBLIC) + "AAAA", "é" * 44])
def test_what_is_no_key_is_told_without_being_shown(key: str) -> None:
    assert not signatures.is_key(key)
    with pytest.raises(KeyTextError) as caught:
        signatures.sign(b"", key)
    assert not key or key not in str(caught.value)


def test_the_private_key_is_not_in_a_traceback() -> None:
    pair = signatures.make_keys()
    assert pair.private not in repr(pair)
    assert signatures.is_key(f" {pair.public}\n")
