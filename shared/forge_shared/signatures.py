"""Ed25519 signatures: who releases programs signs, who runs them checks.

Keys are 32 bytes, written as base64; a signature is 64 bytes.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Final, NamedTuple

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


class KeyTextError(ValueError):
    """The text is no key."""


class KeyPair(NamedTuple):
    """Both keys as text. Only the public one is for others."""

    private: str
    public: str

    def __repr__(self) -> str:
        # A private key must not reach a log by way of a traceback.
        return f"KeyPair(<private>, {self.public!r})"


def make_keys() -> KeyPair:
    """Return a new pair of keys."""
    return pair_of(_text(bytes(SigningKey.generate())))


def pair_of(private: str) -> KeyPair:
    """Return the pair that a private key is one half of; raises KeyTextError."""
    key = SigningKey(_key_bytes(private))
    return KeyPair(_text(bytes(key)), _text(bytes(key.verify_key)))


def sign(message: bytes, private: str) -> bytes:
    """Return the signature of exactly these bytes; raises KeyTextError."""
    return bytes(SigningKey(_key_bytes(private)).sign(message).signature)


def is_signed(message: bytes, signature: bytes, public_keys: Iterable[str]) -> bool:
    """Tell whether the holder of any of these keys signed exactly these bytes; raises
    KeyTextError."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    return any(_is_signed_by(message, signature, _key_bytes(key)) for key in public_keys)


def is_key(text: str) -> bool:
    """Tell whether this is the text of a key."""
    try:
        _key_bytes(text)
    except KeyTextError:
        return False
    return True


def _is_signed_by(message: bytes, signature: bytes, key: bytes) -> bool:
    try:
        VerifyKey(key).verify(message, signature)
    except BadSignatureError:
        return False
    return True


def _key_bytes(text: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        # Not shown: it may be a private key with something beside it.
        raise KeyTextError("a key is 32 bytes in base64, 44 characters")
    return key


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()
