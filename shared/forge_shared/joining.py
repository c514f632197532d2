"""Join strings: all that a new machine needs to find its collector, know it, and be let in."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from typing import Final, NamedTuple
from urllib.parse import urlsplit

PREFIX: Final = "forge_join_"
CODE_BYTES: Final = 16
FINGERPRINT_BYTES: Final = 32

_VERSION: Final = 1
_HAS_FINGERPRINT: Final = 1
_CHECK_BYTES: Final = 4
_FORM = re.compile(re.escape(PREFIX) + r"[A-Za-z0-9_-]+")
_CODE = re.compile(r"[a-z2-7]{26}")


class JoinStringError(ValueError):
    """This is no join string, or not all of it; the message says what to do."""


class JoinString(NamedTuple):
    """``url``: the collector's address. ``ca_fingerprint``: SHA-256 of its authority's certificate
    (DER); None where it has none of its own. ``code``: the invite's, 26 letters and digits."""

    url: str
    ca_fingerprint: bytes | None
    code: str

    def __str__(self) -> str:
        flags = 0 if self.ca_fingerprint is None else _HAS_FINGERPRINT
        body = bytes([_VERSION, flags]) + (self.ca_fingerprint or b"") + _code_bytes(self.code)
        body += self.url.encode("ascii")
        body += zlib.crc32(body).to_bytes(_CHECK_BYTES, "big")
        return PREFIX + base64.urlsafe_b64encode(body).decode().rstrip("=")

    def __repr__(self) -> str:
        # The code must not reach a log by way of a traceback.
        return f"JoinString({self.url!r}, <code>)"


def parse(text: str) -> JoinString:
    """Take a join string apart; raises JoinStringError."""
    bare = "".join(text.split())  # terminals and chats break long lines
    if _FORM.fullmatch(bare) is None:
        raise JoinStringError(f"This is no join string: one begins with {PREFIX}.")
    body = _checked(bare.removeprefix(PREFIX))
    if body[:1] != bytes([_VERSION]) or body[1] & ~_HAS_FINGERPRINT:
        raise JoinStringError("This join string is of a newer collector: use a newer forge-agent.")
    rest = body[2:]
    fingerprint = None
    if body[1] & _HAS_FINGERPRINT:
        fingerprint, rest = rest[:FINGERPRINT_BYTES], rest[FINGERPRINT_BYTES:]
    code, url = rest[:CODE_BYTES], rest[CODE_BYTES:]
    return JoinString(_checked_url(url), fingerprint, _code_text(code))


def is_code(text: str) -> bool:
    """Tell whether this has the form of an invite's code."""
    return _CODE.fullmatch(text) is not None


def grouped(fingerprint: bytes) -> str:
    """Return a fingerprint for people to compare: hex digits in groups of four."""
    digits = fingerprint.hex()
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def _checked(encoded: str) -> bytes:
    try:
        body = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except (binascii.Error, ValueError):
        body = b""
    body, check = body[:-_CHECK_BYTES], body[-_CHECK_BYTES:]
    if len(body) < 2 or zlib.crc32(body).to_bytes(_CHECK_BYTES, "big") != check:
        raise JoinStringError("This join string is incomplete or mistyped: copy all of it again.")
    return body


def _checked_url(encoded: bytes) -> str:
    try:
        url = encoded.decode("ascii")
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or parts.query or parts.fragment or "@" in url:
        raise JoinStringError("This join string holds no usable address: ask for another.")
    return url


def _code_bytes(code: str) -> bytes:
    if not is_code(code):
        raise ValueError("not a code of an invite")
    return base64.b32decode(code.upper() + "=" * (-len(code) % 8))


def _code_text(code: bytes) -> str:
    if len(code) != CODE_BYTES:
        raise JoinStringError("This join string is incomplete: copy all of it again.")
    return base64.b32encode(code).decode().rstrip("=").lower()
