"""Credentials of which only a hash is kept, and the ids of records.

A credential reads ``PREFIX_ID_SECRET``. The id finds the record, the secret proves the right to
it; the record holds only the secret's BLAKE2b hash.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from typing import NamedTuple

_CREDENTIAL = re.compile(r"([a-z]+)_([0-9a-f]{32})_([0-9a-f]{64})")
_SECRET_BYTES = 32
_HASH_BYTES = 32


class Credential(NamedTuple):
    """A credential taken apart: what kind it claims to be, its record's id, and its secret."""

    prefix: str
    id: str
    secret: str

    def __str__(self) -> str:
        return f"{self.prefix}_{self.id.replace('-', '')}_{self.secret}"

    def __repr__(self) -> str:
        # A secret must not reach a log by way of a traceback.
        return f"Credential({self.prefix!r}, {self.id!r}, <secret>)"


def uuid7(now_ms: int, noise: int | None = None) -> str:
    """Return a UUIDv7 (RFC 9562, section 5.7): ids that sort by the time they were made.

    ``noise``: 80 random bits, where they need not be the system's.
    """
    if noise is None:
        noise = int.from_bytes(os.urandom(10), "big")
    value = (now_ms & 0xFFFF_FFFF_FFFF) << 80 | noise
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return _dashed(f"{value:032x}")


def numbered(batch_id: str, number: int, content: bytes) -> str:
    """Return the id of a record of a batch: the same each time for the same content, and in the
    order of the numbers, below 2³². As a UUIDv7 it has the time that the batch's id has."""
    own = hashlib.blake2b(content, digest_size=5, key=batch_id.encode()).digest()
    # Around the bits that say what kind of UUID it is there is room for 12 and 62.
    high, low = divmod(number, 1 << 22)
    return uuid7(_bits(batch_id) >> 80, high << 64 | low << 40 | int.from_bytes(own, "big"))


def mint(prefix: str, now_ms: int) -> Credential:
    """Return a new credential with 256 random bits."""
    return Credential(prefix, uuid7(now_ms), os.urandom(_SECRET_BYTES).hex())


def mint_code() -> str:
    """Return a one-time code of 128 random bits, short enough to type."""
    return base64.b32encode(os.urandom(16)).decode().rstrip("=").lower()


def code_id(code: str) -> str:
    """Return the id of a code's record: found by its hash, since a code carries no id."""
    return _dashed(secret_hash(code)[:16].hex())


def parse(text: str) -> Credential | None:
    """Take a credential apart; None when it is not one."""
    match = _CREDENTIAL.fullmatch(text)
    if match is None:
        return None
    prefix, bare_id, secret = match.groups()
    return Credential(prefix, _dashed(bare_id), secret)


def secret_hash(secret: str) -> bytes:
    """Return the 32-byte BLAKE2b hash of a secret (RFC 7693)."""
    # What is no UTF-8 in a header arrives as lone surrogates: they hash too, to no known secret.
    encoded = secret.encode(errors="surrogatepass")
    return hashlib.blake2b(encoded, digest_size=_HASH_BYTES).digest()


def matches(secret: str, expected_hash: bytes) -> bool:
    """Tell in constant time whether the secret has this hash."""
    return hmac.compare_digest(secret_hash(secret), expected_hash)


def _bits(uuid: str) -> int:
    return int(uuid.replace("-", ""), 16)


def _dashed(bare: str) -> str:
    return f"{bare[:8]}-{bare[8:12]}-{bare[12:16]}-{bare[16:20]}-{bare[20:]}"
