"""The frame around sealed bytes: a version, a checksum, a description, and streams.

version      1 byte
checksum     CRC-32 of all that follows, 4 bytes, little-endian
length       of the description, 4 bytes, little-endian
description  zstd of MessagePack
streams      one after the other; the description says how long each is
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

import zstandard

VERSION: Final = 1
_HEAD: Final = struct.Struct("<BII")
_CHECKED_FROM: Final = 5
_MOST_DESCRIPTION_BYTES: Final = 16 * 1024 * 1024


class DamagedError(Exception):
    """Sealed bytes are not what was once written, or of a version that is not known here."""


def seal(description: bytes, streams: bytes) -> bytes:
    """Return a frame around a description and its streams."""
    packed = zstandard.ZstdCompressor(level=19).compress(description)
    checksum = zlib.crc32(streams, zlib.crc32(packed, zlib.crc32(_length(packed))))
    return _HEAD.pack(VERSION, checksum, len(packed)) + packed + streams


def unseal(sealed: bytes) -> tuple[bytes, memoryview]:
    """Return the description and the streams; raises DamagedError."""
    if len(sealed) < _HEAD.size:
        raise DamagedError(f"{len(sealed)} bytes are too few")
    version, checksum, length = _HEAD.unpack_from(sealed)
    if version != VERSION:
        raise DamagedError(f"version {version} is not known here, only {VERSION}")
    view = memoryview(sealed)
    if zlib.crc32(view[_CHECKED_FROM:]) != checksum:
        raise DamagedError("the checksum does not match")
    streams_from = _HEAD.size + length
    try:
        description = zstandard.ZstdDecompressor().decompress(
            view[_HEAD.size : streams_from], max_output_size=_MOST_DESCRIPTION_BYTES
        )
    except zstandard.ZstdError as error:
        raise DamagedError(f"the description cannot be read: {error}") from None
    return description, view[streams_from:]


def _length(packed: bytes) -> bytes:
    return struct.pack("<I", len(packed))
