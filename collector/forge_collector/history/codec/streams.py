"""Residuals as bytes: zigzag, then for each number a code and extra bits, as DEFLATE codes lengths.

A small residual is a small number whatever its sign. Up to 15 each has a code of its own; above,
a code stands for a range, finer where numbers are frequent, and says how many extra bits tell which
of the range it is (after RFC 1951, section 3.2.5). The codes are compressed with zstd; the extra
bits are noise and are not.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import numpy as np
import zstandard
from numpy.typing import NDArray

from forge_collector.history.codec.frame import DamagedError
from forge_collector.history.columns import Integers

_QUICK_LEVEL: Final = 1
_THOROUGH_LEVEL: Final = 19
_Unsigned = NDArray[np.uint64]


class Packed(NamedTuple):
    """A residual: its codes, and their extra bits. Both are empty when every number is 0."""

    codes: bytes
    extra: bytes


class Packer:
    """Packs residuals of about the same length. Not for two threads at once."""

    def __init__(self, rows: int, *, is_thorough: bool) -> None:
        self._estimate = _compressor(_QUICK_LEVEL, rows)
        self._final = _compressor(_THOROUGH_LEVEL if is_thorough else _QUICK_LEVEL, rows)

    def cost(self, residual: Integers) -> int:
        """Return about how many bytes it takes packed."""
        zigzag = _zigzag(residual)
        if not zigzag.any():
            return 0
        codes = _codes(zigzag)
        extra_bits = int(_table().extra_bits[codes].sum())
        return len(self._estimate.compress(codes.tobytes())) + extra_bits // 8

    def pack(self, residual: Integers) -> Packed:
        zigzag = _zigzag(residual)
        if not zigzag.any():
            return Packed(b"", b"")
        codes = _codes(zigzag)
        rest = zigzag - _table().least[codes]
        bits = [(rest[has] >> np.uint64(bit)) & np.uint64(1) for bit, has in _levels(codes)]
        extra = np.packbits(np.concatenate(bits).astype(np.uint8)).tobytes() if bits else b""
        return Packed(self.deflate(codes.tobytes()), extra)

    def deflate(self, plain: bytes) -> bytes:
        return self._final.compress(plain)


class Unpacker:
    """Unpacks residuals. Not for two threads at once."""

    def __init__(self) -> None:
        self._decompressor = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS)

    def unpack(self, rows: int, codes: memoryview, extra: memoryview) -> Integers:
        """Return the residual; raises DamagedError."""
        if not codes:
            return np.zeros(rows, np.int64)
        table = _table()
        coded = np.frombuffer(self.inflate(codes, rows), np.uint8)
        if coded.max() >= len(table.least):
            raise DamagedError("a stream has a code that means nothing")
        zigzag = table.least[coded]
        bits = np.unpackbits(np.frombuffer(extra, np.uint8))
        at = 0
        for bit, has in _levels(coded):
            zigzag[has] += bits[at : at + len(has)].astype(np.uint64) << np.uint64(bit)
            at += len(has)
        sign = -(zigzag & np.uint64(1)).astype(np.int64)
        return (zigzag >> np.uint64(1)).astype(np.int64) ^ sign

    def inflate(self, stream: memoryview, size: int) -> bytes:
        """Return what was deflated to this stream; raises DamagedError."""
        try:
            inflated = self._decompressor.decompress(stream, max_output_size=size)
        except zstandard.ZstdError as error:
            raise DamagedError(f"a stream cannot be read: {error}") from None
        if len(inflated) != size:
            raise DamagedError(f"a stream has {len(inflated)} bytes, not {size}")
        return inflated


class _Table(NamedTuple):
    """What each code stands for: the least number of its range, and how many bits tell the rest."""

    least: _Unsigned
    extra_bits: NDArray[np.uint8]


@cache
def _table() -> _Table:
    """Return the codes: one for each number to 15, eight for each power of two to 2²⁴, then one."""
    least = list(range(16))
    extra_bits = [0] * 16
    for power in range(4, 64):
        ranges = 8 if power < 24 else 1
        extra = power - (ranges.bit_length() - 1)
        least += [(1 << power) + (which << extra) for which in range(ranges)]
        extra_bits += [extra] * ranges
    return _Table(np.array(least, np.uint64), np.array(extra_bits, np.uint8))


def _codes(zigzag: _Unsigned) -> NDArray[np.uint8]:
    return (np.searchsorted(_table().least, zigzag, side="right") - 1).astype(np.uint8)


def _levels(codes: NDArray[np.uint8]) -> list[tuple[int, NDArray[np.intp]]]:
    """Return for each extra bit, the lowest first, at which places it is."""
    extra_bits = _table().extra_bits[codes]
    return [(bit, np.flatnonzero(extra_bits > bit)) for bit in range(int(extra_bits.max()))]


def _zigzag(residual: Integers) -> _Unsigned:
    return ((residual << 1) ^ (residual >> 63)).view(np.uint64)


def _compressor(level: int, rows: int) -> zstandard.ZstdCompressor:
    # The description knows every length and the frame has a checksum: none is needed again.
    return zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters.from_level(
            level,
            source_size=rows,
            write_content_size=False,
            write_checksum=False,
            write_dict_id=False,
            format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        )
    )
