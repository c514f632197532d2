"""Residuals as bytes: zigzag, then for each number a code and extra bits, as DEFLATE codes lengths.

A small residual is a small number whatever its sign. Up to 15 each has a code of its own; above,
a code stands for a range, finer where numbers are frequent, and says how many extra bits tell which
of the range it is (after RFC 1951, section 3.2.5). The codes are compressed with zstd; the extra
bits are noise and are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np
import zstandard
from numpy.typing import NDArray

from forge_collector.history.codec.frame import DamagedError
from forge_collector.history.columns import Integers

_QUICK_LEVEL: Final = 1
_THOROUGH_LEVEL: Final = 19
_NUMBERS_AT_ONCE: Final = 500_000  # what is in between takes several times their memory
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
        return Packed(self.deflate(codes.tobytes()), _extra_of(zigzag, codes))

    def deflate(self, plain: bytes) -> bytes:
        return self._final.compress(plain)


class Unpacker:
    """Unpacks residuals. Not for two threads at once."""

    def __init__(self) -> None:
        self._decompressor = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS)

    def unpack(self, rows: int, streams: Sequence[tuple[memoryview, memoryview]]) -> Integers:
        """Return residuals, one a row of a matrix, from their (codes, extra); raises DamagedError.

        Many at once: arrays of a few dozen numbers cost no more than the calls they take.
        """
        residuals = np.zeros((len(streams), rows), np.int64)
        filled = [row for row, (codes, _) in enumerate(streams) if codes]
        at_once = max(1, _NUMBERS_AT_ONCE // rows)
        for begin in range(0, len(filled), at_once):
            some = filled[begin : begin + at_once]
            residuals[some] = self._unpacked(rows, [streams[row] for row in some])
        return residuals

    def _unpacked(self, rows: int, streams: Sequence[tuple[memoryview, memoryview]]) -> Integers:
        inflated = b"".join(self.inflate(stream, rows) for stream, _ in streams)
        codes = np.frombuffer(inflated, np.uint8).reshape(len(streams), rows)
        if codes.max(initial=0) >= len(_table().least):
            raise DamagedError("a stream has a code that means nothing")
        zigzag = _table().least[codes]
        _add_extra(zigzag, codes, [extra for _, extra in streams])
        sign = -(zigzag & np.uint64(1)).view(np.int64)
        some: Integers = (zigzag >> np.uint64(1)).view(np.int64) ^ sign
        return some

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


def _extra_of(zigzag: _Unsigned, codes: NDArray[np.uint8]) -> bytes:
    """Return the extra bits of one number after the other, of each the highest bit first."""
    sizes = _table().extra_bits[codes].astype(np.int64)
    ends = np.cumsum(sizes)
    owner = np.repeat(np.arange(len(codes)), sizes)
    place = ends[owner] - 1 - np.arange(len(owner))
    rest = (zigzag - _table().least[codes])[owner]
    return np.packbits(
        ((rest >> place.astype(np.uint64)) & np.uint64(1)).astype(np.uint8)
    ).tobytes()


def _add_extra(zigzag: _Unsigned, codes: NDArray[np.uint8], streams: Sequence[memoryview]) -> None:
    """Add to the least number of each range which one of the range it is."""
    sizes = _table().extra_bits[codes]
    ends = np.cumsum(sizes, axis=1, dtype=np.int32)
    lengths = np.array([len(stream) for stream in streams], np.int32)
    if (ends[:, -1] > 8 * lengths).any():
        raise DamagedError("a stream ends before its numbers")
    ends += 8 * (np.cumsum(lengths, dtype=np.int32) - lengths)[:, None]
    has = np.nonzero(sizes)
    size = sizes[has]
    begin = ends[has] - size
    # Nine bytes from where a number begins hold it, wherever in the first of them that is.
    joined = np.frombuffer(b"".join((*streams, bytes(9))), np.uint8)
    words = np.lib.stride_tricks.sliding_window_view(joined, 8)[begin >> 3].view(">u8").ravel()
    shift = (begin & 7).astype(np.uint64)
    after = joined[(begin >> 3) + 8].astype(np.uint64) >> (np.uint64(8) - shift)
    zigzag[has] += ((words.astype(np.uint64) << shift) | after) >> (
        np.uint64(64) - size.astype(np.uint64)
    )


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
